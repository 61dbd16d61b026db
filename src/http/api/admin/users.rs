//! The users.

use poem_openapi::param::Path;
use poem_openapi::payload::Json;
use poem_openapi::{ApiResponse, OpenApi};
use uuid::Uuid;

use super::examples::user_id as example_user;
use super::types::{AdminUser, AdminUserList, NewUser, UserChanges};
use crate::domain::claims::Role;
use crate::domain::id::UserId;
use crate::flows::administration;
use crate::http::api::Tag;
use crate::http::api::answers::SetCookie;
use crate::http::api::refused::{BODY, GUARD, Refused, codes};
use crate::http::body::Body;
use crate::http::guard::{Admin, CsrfHeader};
use crate::http::query::{Asked, Begin, Cursor as _, Limit, Search};
use crate::store::UserFilter;

pub(in crate::http) struct UsersApi;

codes! {
    /// Of `listUsers`.
    ListUsers = [GUARD] + Forbidden + ValidationFailed;
    /// Of `createUser`.
    CreateUser = [GUARD, BODY] + CsrfFailed + Forbidden + EmailTaken;
    /// Of `getUser`.
    GetUser = [GUARD] + Forbidden + NotFound;
    /// Of `updateUser`.
    UpdateUser = [GUARD, BODY] + CsrfFailed + Forbidden + NotFound + LastAdmin;
    /// Of `deleteUser`.
    DeleteUser = [GUARD] + CsrfFailed + Forbidden + NotFound + LastAdmin;
}

/// Of `listUsers`.
#[derive(ApiResponse)]
enum ListUsersOk {
    /// A part of the users, the newest first.
    #[oai(status = 200)]
    Ok(Json<AdminUserList>),
}

/// Of `createUser`.
#[derive(ApiResponse)]
enum CreateUserOk {
    /// The account was made.
    #[oai(status = 201)]
    Created(Json<AdminUser>),
}

/// Of `getUser`.
#[derive(ApiResponse)]
enum GetUserOk {
    /// The account.
    #[oai(status = 200)]
    Ok(Json<AdminUser>),
}

/// Of `updateUser`.
#[derive(ApiResponse)]
#[oai(header(
    name = "Set-Cookie",
    ty = "SetCookie",
    description = "Clears `token`, `refreshToken` and `csrfToken`, one header each; only when the caller is known by cookie and disables their own account."
))]
enum UpdateUserOk {
    /// The account as it is now.
    #[oai(status = 200)]
    Ok(Json<AdminUser>),
}

/// Of `deleteUser`.
#[derive(ApiResponse)]
#[oai(header(
    name = "Set-Cookie",
    ty = "SetCookie",
    description = "Clears `token`, `refreshToken` and `csrfToken`, one header each; only when the caller is known by cookie and deletes their own account."
))]
enum DeleteUserOk {
    /// The account is gone.
    #[oai(status = 204)]
    NoContent,
}

#[OpenApi(prefix_path = "/api/admin/users", tag = "Tag::Administration")]
impl UsersApi {
    /// List the users
    ///
    /// Those who are all of what is asked for, the newest first. A page that is not the last has a
    /// `nextCursor`; send it with the same filters.
    #[expect(clippy::too_many_arguments, reason = "each is a parameter of the query")]
    #[oai(path = "/", method = "get", operation_id = "listUsers")]
    async fn list_users(
        &self,
        admin: Admin,
        /// Only users with this in their e-mail address; case does not matter.
        search: Asked<Search>,
        /// Only users of this role.
        role: Asked<Role>,
        /// Only users whose address is, or is not, known to be theirs.
        #[oai(name = "isVerified")]
        is_verified: Asked<bool>,
        /// Only users who are, or are not, disabled.
        #[oai(name = "isDisabled")]
        is_disabled: Asked<bool>,
        /// How many users at most.
        limit: Asked<Limit>,
        /// The `nextCursor` of the page before.
        cursor: Asked<Begin<UserId>>,
    ) -> Result<ListUsersOk, Refused<ListUsers>> {
        let filter = UserFilter {
            search: search.0.map(|search| search.0),
            role: role.0,
            is_verified: is_verified.0,
            is_disabled: is_disabled.0,
        };
        let before = cursor.0.map(|cursor| cursor.0);
        let limit = Limit::of(&limit);
        let page = administration::list_users(admin.app(), filter, before, limit).await?;
        Ok(ListUsersOk::Ok(Json(AdminUserList {
            next_cursor: page.next.map(|id| id.to_text()),
            users: page.items.iter().map(AdminUser::from).collect(),
        })))
    }

    /// Make an account for somebody
    ///
    /// Also where registration is closed. Nobody is signed in. An account without a password takes
    /// none at login until one has been set. By cookie it needs the `X-CSRF-Token` header.
    #[oai(path = "/", method = "post", operation_id = "createUser")]
    async fn create_user(
        &self,
        admin: Admin,
        /// The value of the `csrfToken` cookie; needed when the caller is known by cookie.
        #[oai(name = "X-CSRF-Token")]
        _csrf: CsrfHeader,
        body: Body<NewUser>,
    ) -> Result<CreateUserOk, Refused<CreateUser>> {
        let account = body.0.parse(admin.app().config.password_rules())?;
        let client = admin.envelope.client();
        let user = administration::create_user(admin.app(), &admin.caller, account, client).await?;
        Ok(CreateUserOk::Created(Json(AdminUser::from(&user))))
    }

    /// Get a user
    ///
    /// The account as it is now.
    #[oai(path = "/:userId", method = "get", operation_id = "getUser")]
    async fn get_user(
        &self,
        admin: Admin,
        /// The `id` of a user.
        #[oai(name = "userId", example = "example_user")]
        user_id: Path<Uuid>,
    ) -> Result<GetUserOk, Refused<GetUser>> {
        let user = administration::get_user(admin.app(), UserId(user_id.0)).await?;
        Ok(GetUserOk::Ok(Json(AdminUser::from(&*user))))
    }

    /// Change a user
    ///
    /// All that is asked for is done, or nothing; it is in force with the user's next request. To
    /// disable a user ends their sessions. The last administrator who can sign in is neither
    /// demoted nor disabled. By cookie it needs the `X-CSRF-Token` header.
    #[oai(path = "/:userId", method = "patch", operation_id = "updateUser")]
    async fn update_user(
        &self,
        admin: Admin,
        /// The value of the `csrfToken` cookie; needed when the caller is known by cookie.
        #[oai(name = "X-CSRF-Token")]
        _csrf: CsrfHeader,
        /// The `id` of a user.
        #[oai(name = "userId", example = "example_user")]
        user_id: Path<Uuid>,
        body: Body<UserChanges>,
    ) -> Result<UpdateUserOk, Refused<UpdateUser>> {
        let (id, client) = (UserId(user_id.0), admin.envelope.client());
        let changes = body.0.into();
        let user =
            administration::update_user(admin.app(), &admin.caller, id, changes, client).await?;
        if user.disabled_at.is_some() && id == admin.caller.user_id() {
            admin.clear_cookies();
        }
        Ok(UpdateUserOk::Ok(Json(AdminUser::from(&user))))
    }

    /// Delete a user
    ///
    /// The account and its sessions, for good; the audit trail keeps what it says of them. The last
    /// administrator who can sign in is not deleted. By cookie it needs the `X-CSRF-Token` header.
    #[oai(path = "/:userId", method = "delete", operation_id = "deleteUser")]
    async fn delete_user(
        &self,
        admin: Admin,
        /// The value of the `csrfToken` cookie; needed when the caller is known by cookie.
        #[oai(name = "X-CSRF-Token")]
        _csrf: CsrfHeader,
        /// The `id` of a user.
        #[oai(name = "userId", example = "example_user")]
        user_id: Path<Uuid>,
    ) -> Result<DeleteUserOk, Refused<DeleteUser>> {
        let (id, client) = (UserId(user_id.0), admin.envelope.client());
        administration::delete_user(admin.app(), &admin.caller, id, client).await?;
        if id == admin.caller.user_id() {
            admin.clear_cookies();
        }
        Ok(DeleteUserOk::NoContent)
    }
}
