//! Line charts side by side, as one SVG that reads on a light and on a dark page.

use std::path::Path;

use plotters::coord::combinators::IntoLogRange as _;
use plotters::prelude::*;

use crate::Failure;

/// A line.
pub struct Series {
    /// Its name.
    pub name: &'static str,
    /// Its points, from left to right.
    pub points: Vec<(f64, f64)>,
}

/// A chart with a logarithmic horizontal axis.
pub struct Chart {
    /// What is shown.
    pub title: &'static str,
    /// Against what.
    pub x: &'static str,
    /// The lines.
    pub series: Vec<Series>,
}

const SIZE: (u32, u32) = (460, 320);
const COLOURS: [RGBColor; 2] = [RGBColor(0x1f, 0x6f, 0xb2), RGBColor(0xc2, 0x5b, 0x1e)];
const INK: RGBColor = RGBColor(0x33, 0x33, 0x33);

/// Draws `charts` beside each other into `path`.
pub fn draw(path: &Path, charts: &[Chart]) -> Result<(), Failure> {
    let width = SIZE.0 * u32::try_from(charts.len())?;
    let root = SVGBackend::new(path, (width, SIZE.1)).into_drawing_area();
    root.fill(&WHITE)?;
    for (chart, area) in charts.iter().zip(root.split_evenly((1, charts.len()))) {
        one(chart, &area).map_err(|error| error.to_string())?;
    }
    root.present()?;
    eprintln!("wrote {}", path.display());
    Ok(())
}

fn one(
    chart: &Chart,
    area: &DrawingArea<SVGBackend<'_>, plotters::coord::Shift>,
) -> Result<(), Box<dyn std::error::Error>> {
    let all = || chart.series.iter().flat_map(|series| &series.points);
    let (left, right) = all().fold((f64::MAX, 0.0_f64), |(l, r), (x, _)| (l.min(*x), r.max(*x)));
    let top = all().map(|(_, y)| *y).fold(0.0, f64::max) * 1.1;
    let mut context = ChartBuilder::on(area)
        .caption(chart.title, ("sans-serif", 16).into_font().color(&INK))
        .margin(12)
        .x_label_area_size(40)
        .y_label_area_size(60)
        .build_cartesian_2d((left..right).log_scale(), 0.0..top)?;
    context
        .configure_mesh()
        .light_line_style(TRANSPARENT)
        .axis_style(INK)
        .x_desc(chart.x)
        .x_label_formatter(&|x| format!("{x:.0}"))
        .y_label_formatter(&|y| format!("{y:.0}"))
        .draw()?;
    for (series, colour) in chart.series.iter().zip(COLOURS) {
        let line = LineSeries::new(series.points.iter().copied(), colour.stroke_width(2));
        context
            .draw_series(line)?
            .label(series.name)
            .legend(move |(x, y)| PathElement::new([(x, y), (x + 16, y)], colour.stroke_width(2)));
        let dots = series.points.iter().map(|point| Circle::new(*point, 3, colour.filled()));
        context.draw_series(dots)?;
    }
    context
        .configure_series_labels()
        .position(SeriesLabelPosition::UpperLeft)
        .background_style(WHITE.mix(0.8))
        .draw()?;
    Ok(())
}
