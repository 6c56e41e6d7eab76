//! A whole figure: words above, panels, words below.

use convscope_protocol::findings::Origin;
use plotters::style::text_anchor::HPos;
use serde_json::json;

use crate::ReportError;
use crate::chart::{self, Scene};
use crate::font::Weight;
use crate::report::Provenance;
use crate::svg::{Area, Canvas, Drawing, Role, Type, Words, whole};
use crate::theme::{RULE, SOFT, TEXT};

const TITLE: Type = Type { size: 190, weight: Weight::SemiBold, ink: TEXT };
const READING: Type = Type { size: 135, weight: Weight::Regular, ink: SOFT };
const CAPTION: Type = Type { size: 130, weight: Weight::Regular, ink: TEXT };
const ORIGIN: Type = Type { size: 110, weight: Weight::Regular, ink: SOFT };

const MARGIN: i32 = 240;
/// Narrower figures leave room for their words.
const NARROWEST: i32 = 5600;
/// Longer lines are hard to read.
const LONGEST_LINE: i32 = 8600;
/// One sentence may be longer, so that it stays one line more often.
const LONGEST_READING: i32 = 10_000;
/// Above this many bytes a file is worth a warning.
const LARGE_FILE: usize = 8 << 20;

/// A figure as it goes into a report.
#[derive(Debug)]
pub(crate) struct DrawnFigure {
    /// The file, complete in itself.
    pub(crate) svg: String,
    /// The panels for the page.
    pub(crate) panels: String,
    /// What their colours mean, for the page.
    pub(crate) legends: String,
    pub(crate) warnings: Vec<String>,
}

/// Draws a figure. `prefix` is its own among the figures of a page.
pub(crate) fn draw(
    scene: &Scene<'_>,
    caption: &str,
    provenance: &Provenance,
    prefix: &str,
) -> Result<DrawnFigure, ReportError> {
    let figure = scene.figure;
    let plan = chart::plan(scene)?;
    let (panels_width, panels_height) = plan.size();
    let width = panels_width.max(NARROWEST);
    let line = width.min(LONGEST_LINE);
    let title = TITLE.wrap(&figure.title, line);
    let reading = READING.wrap(&figure.how_to_read, width.min(LONGEST_READING));
    let caption_lines = CAPTION.wrap(caption, line);
    let origin = origin_lines(&scene.findings.origin, provenance, width);

    let block = |lines: &[String], kind: Type| whole(lines.len()) * kind.line();
    let head = block(&title, TITLE) + 60 + block(&reading, READING);
    let foot = block(&caption_lines, CAPTION) + 130 + block(&origin, ORIGIN);
    let panels_top = MARGIN + head + 240;
    let foot_top = panels_top + panels_height + 240;
    let size = (width + 2 * MARGIN, foot_top + foot + MARGIN);

    let canvas = Canvas::new(&figure.name, size, prefix);
    let area = Area { x: MARGIN, y: MARGIN, width, height: head };
    canvas.part(Role::Head, &figure.title, area, |canvas| {
        canvas.lines(&title, (MARGIN, MARGIN + 180), TITLE)?;
        let y = MARGIN + block(&title, TITLE) + 60 + 130;
        canvas.lines(&reading, (MARGIN, y), READING)
    })?;
    plan.draw(&canvas, (MARGIN, panels_top))?;
    let area = Area { x: MARGIN, y: foot_top, width, height: foot };
    canvas.part(Role::Foot, "caption and origin", area, |canvas| {
        canvas.lines(&caption_lines, (MARGIN, foot_top + 130), CAPTION)?;
        let y = foot_top + block(&caption_lines, CAPTION) + 80;
        canvas.rule((MARGIN, y), width, RULE)?;
        let mut baseline = y + 180;
        for text in &origin {
            canvas.text(text, (MARGIN, baseline), HPos::Left, ORIGIN)?;
            baseline += ORIGIN.line();
        }
        Ok(())
    })?;
    Ok(assemble(scene, &canvas.finish(), caption, provenance))
}

fn assemble(
    scene: &Scene<'_>,
    drawing: &Drawing,
    caption: &str,
    provenance: &Provenance,
) -> DrawnFigure {
    let figure = scene.figure;
    let words = Words {
        title: figure.title.clone(),
        description: [figure.how_to_read.as_str(), caption].join(" ").trim().to_owned(),
        metadata: json!({
            "convscope": provenance.version,
            "figure": figure.name,
            "origin": scene.findings.origin,
            "script_hash": provenance.script_hash,
        })
        .to_string(),
    };
    let svg = drawing.file(&words);
    let mut warnings = drawing.warnings.clone();
    if svg.len() > LARGE_FILE {
        let size = svg.len() as f64 / 1e6;
        warnings.push(format!(
            "figure `{}` takes {size:.1} MB: show fewer maps or layers in one figure",
            figure.name
        ));
    }
    let (panels, legends) = (drawing.pieces(Role::Panel), drawing.pieces(Role::Legend));
    DrawnFigure { svg, panels, legends, warnings }
}

/// What is needed to repeat the figure, as pairs of a name and a value.
pub(crate) fn origin(origin: &Origin, provenance: &Provenance) -> Vec<(&'static str, String)> {
    let script = provenance.script_hash.as_deref().unwrap_or_default();
    let plugin = provenance.plugins.iter().find(|plugin| plugin.hash == origin.plugin_hash);
    let plugin = match plugin {
        Some(plugin) => format!("{} {}", short(&plugin.hash), plugin.version),
        None => short(&origin.plugin_hash).to_owned(),
    };
    let backend = if origin.backend.is_empty() { &provenance.backend } else { &origin.backend };
    let pairs = [
        ("analysis", origin.analysis.clone()),
        ("seed", origin.seed.to_string()),
        ("model", short(&origin.model_hash).to_owned()),
        ("images", short(&origin.images_hash).to_owned()),
        ("script", short(script).to_owned()),
        ("plugin", plugin),
        ("convscope", provenance.version.clone()),
        ("backend", backend.clone()),
    ];
    pairs.into_iter().filter(|(_, value)| !value.is_empty()).collect()
}

fn origin_lines(of: &Origin, provenance: &Provenance, width: i32) -> Vec<String> {
    // Pairs stay together: the space within one does not break.
    let pairs: Vec<String> = origin(of, provenance)
        .into_iter()
        .map(|(name, value)| format!("{name} {value}").replace(' ', "\u{a0}"))
        .collect();
    let mut lines: Vec<String> = Vec::new();
    for pair in pairs {
        match lines.last_mut() {
            Some(line) if ORIGIN.width(&format!("{line}  ·  {pair}")) <= width => {
                *line = format!("{line}\u{a0} · \u{a0}{pair}");
            }
            _ => lines.push(ORIGIN.fit(&pair, width)),
        }
    }
    lines
}

/// The first twelve digits of a hash; the manifest has them all.
pub(crate) fn short(hash: &str) -> &str {
    hash.get(..12).unwrap_or(hash)
}
