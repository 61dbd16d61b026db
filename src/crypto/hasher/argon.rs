//! Argon2 (RFC 9106): what Doorward hashes with, and what others have hashed with.

use argon2::password_hash::phc::{Output, ParamsString, PasswordHash, Salt};
use argon2::{Algorithm, Argon2, Block, Params, Version};
use zeroize::{Zeroize as _, Zeroizing};

use super::{Costs, HashFault};

/// A way to run Argon2.
pub(super) struct Recipe {
    pub(super) algorithm: Algorithm,
    pub(super) version: Version,
    pub(super) params: Params,
}

impl Recipe {
    /// Argon2id at `costs`: how passwords are hashed here.
    pub(super) fn ours(costs: Costs) -> Result<Self, HashFault> {
        let Costs { memory_kib, iterations, parallelism } = costs;
        let params = Params::new(memory_kib, iterations, parallelism, Some(32))
            .map_err(|_| HashFault::Broken)?;
        Ok(Self { algorithm: Algorithm::Argon2id, version: Version::V0x13, params })
    }

    /// How a PHC string says that it was made. `None` when that is not Argon2, or no way to run it.
    pub(super) fn of(phc: &PasswordHash) -> Option<Self> {
        Some(Self {
            algorithm: Algorithm::try_from(phc.algorithm.as_str()).ok()?,
            version: phc.version.map_or(Ok(Version::V0x13), Version::try_from).ok()?,
            params: Params::try_from(phc).ok()?,
        })
    }

    /// What it costs.
    pub(super) fn costs(&self) -> Costs {
        Costs {
            memory_kib: self.params.m_cost(),
            iterations: self.params.t_cost(),
            parallelism: self.params.p_cost(),
        }
    }

    /// Hashes in `memory`, which is made as large as need be.
    pub(super) fn compute(
        &self,
        password: &[u8],
        salt: &Salt,
        memory: &mut Vec<Block>,
    ) -> Result<Output, HashFault> {
        let blocks = self.params.block_count();
        if memory.len() < blocks {
            // Wiped where it was: growing moves it.
            memory.zeroize();
            memory.resize(blocks, Block::new());
        }
        let length = self.params.output_len().unwrap_or(Params::DEFAULT_OUTPUT_LEN);
        let mut buffer = Zeroizing::new([0; Output::MAX_LENGTH]);
        let output = buffer.get_mut(..length).ok_or(HashFault::Broken)?;
        Argon2::new(self.algorithm, self.version, self.params.clone())
            .hash_password_into_with_memory(password, salt, output, memory.as_mut_slice())
            .map_err(|_| HashFault::Broken)?;
        Output::new(output).map_err(|_| HashFault::Broken)
    }

    /// The PHC string.
    pub(super) fn write(&self, salt: Salt, output: Output) -> Result<String, HashFault> {
        let phc = PasswordHash {
            algorithm: self.algorithm.ident(),
            version: Some(self.version.into()),
            params: ParamsString::try_from(&self.params).map_err(|_| HashFault::Broken)?,
            salt: Some(salt),
            hash: Some(output),
        };
        Ok(phc.to_string())
    }
}
