//! One panel of a row.

use convscope_protocol::figure::{CellPlaces, Colours, Mark, Panel, PanelContent, Source};
use plotters::style::text_anchor::HPos;

use super::axes::{self, Numbered};
use super::cells::Borders;
use super::classes::{Labels, Palette};
use super::foot::{Foot, folded};
use super::frame::Frame;
use super::overlay;
use super::tiles::TilesPlan;
use crate::chart::legend::{Bar, STEPS, marks, meaning, sentence};
use crate::chart::{LABEL, Scene};
use crate::pixels::{Numbers, Pixels};
use crate::svg::markup::number;
use crate::svg::{Area, Canvas, Meaning, Values, whole};
use crate::{ReportError, colour, theme};

/// Lines above a panel.
const MOST_LINES: usize = 3;
/// From the last line above a panel to the panel.
const LABEL_GAP: i32 = 60;
/// From a panel without numbers below to what its colours mean.
const FOOT_GAP: i32 = 70;

/// How a panel is laid out.
pub(super) struct PanelPlan {
    /// Above the panel.
    pub(super) label: Vec<String>,
    /// What a reader without eyes is told.
    pub(super) name: String,
    frame: Frame,
    body: Body,
    foot: Foot,
}

enum Body {
    Picture(Layers),
    Tiles(TilesPlan),
}

/// What is drawn over each other.
struct Layers {
    /// `None` where there is nothing to show.
    picture: Option<Pixels>,
    /// Where the picture lies on the panel.
    area: Area,
    title: String,
    told: Option<Told>,
    marks: Vec<(Area, Mark)>,
}

/// A coloured map and where its cells lie.
struct Coloured {
    picture: Option<Pixels>,
    borders: Borders,
    title: String,
    told: Option<Told>,
    foot: Foot,
}

/// The numbers of a map, for a page.
struct Told {
    numbers: Vec<f32>,
    meaning: Meaning,
    borders: Borders,
}

impl PanelPlan {
    /// Lays a panel out.
    pub(super) fn new(
        scene: &Scene<'_>,
        panel: &Panel,
        frame: Frame,
        palette: &mut Palette,
    ) -> Result<Self, ReportError> {
        let name = &panel.label;
        let (body, foot) = match &panel.content {
            PanelContent::Tiles { columns, colours, tiles, framed } => {
                let width = frame.width;
                let plan = TilesPlan::new(scene, *columns, colours, tiles, *framed, width)?;
                let words = [meaning(colours)];
                (Body::Tiles(plan), Foot::bar(Bar::new(colours), &words, width))
            }
            PanelContent::Map { source, colours, cells } => {
                layers(scene, panel, frame, map(scene, name, source, colours, cells, frame)?)?
            }
            PanelContent::Classes { source, names, cells } => {
                let array = scene.array(&source.array)?;
                let labels = Labels::of(array, source);
                let labels = labels.ok_or_else(|| scene.not_a_picture(array, source))?;
                let borders = borders(scene, source, cells, (labels.height, labels.width), frame)?;
                let (picture, entries) = palette.paint(&labels, names);
                let most = entries.first().map_or("", |entry| entry.words.as_str());
                let title = sentence(&[name, most]);
                let foot = Foot::classes(&entries, frame.width);
                let picture = (!entries.is_empty()).then_some(picture);
                let meaning = Meaning::Name(labels.names(names));
                let told = Told { numbers: labels.places(), meaning, borders: borders.clone() };
                let told = Some(told);
                layers(scene, panel, frame, Coloured { picture, borders, title, told, foot })?
            }
            PanelContent::Overlay { photograph, source, limit, cells } => {
                let below = frame.shrunk(scene.numbers(photograph, &Colours::Photograph)?);
                let coloured = overlaid(scene, name, &below, source, *limit, cells, frame)?;
                layers(scene, panel, frame, coloured)?
            }
        };
        let label = folded(name, frame.width, MOST_LINES);
        Ok(Self { label, name: name.clone(), frame, body, foot })
    }

    /// Returns the height below the words above the panel.
    pub(super) fn height(&self) -> i32 {
        let foot = self.foot.height();
        self.body_height() + if foot > 0 { FOOT_GAP + foot } else { 0 }
    }

    fn body_height(&self) -> i32 {
        let height = match &self.body {
            Body::Picture(_) => 0,
            Body::Tiles(tiles) => tiles.height(),
        };
        // Tiles have no numbers below, and their colour bar stands beside the others all the same.
        height.max(self.frame.size.0) + axes::BELOW
    }

    /// Draws the panel; the words above it end at `y`.
    pub(super) fn draw(
        &self,
        canvas: &Canvas,
        (x, y): (i32, i32),
        numbered: Numbered,
    ) -> Result<(), ReportError> {
        let lines = whole(self.label.len());
        canvas.lines(&self.label, (x, y - LABEL_GAP - (lines - 1) * LABEL.line()), LABEL)?;
        match &self.body {
            Body::Picture(layers) => {
                layers.draw(canvas, (x, y), self.frame)?;
                let (height, width) = self.frame.size;
                let area = Area { x, y, width, height };
                axes::draw(canvas, area, self.frame.extent, numbered)?;
            }
            Body::Tiles(tiles) => tiles.draw(canvas, (x, y))?,
        }
        self.foot.draw(canvas, (x, y + self.body_height() + FOOT_GAP), self.frame.width)
    }
}

impl Layers {
    fn draw(&self, canvas: &Canvas, (x, y): (i32, i32), frame: Frame) -> Result<(), ReportError> {
        let (height, width) = frame.size;
        let whole = Area { x, y, width, height };
        let on_page = |area: Area| Area { x: x + area.x, y: y + area.y, ..area };
        if let Some(picture) = &self.picture {
            let area = on_page(self.area);
            if area != whole || picture.has_gaps() {
                canvas.hatch(whole, theme::FAINT);
            }
            canvas.picture(picture, area, &self.title)?;
            if let Some(told) = &self.told {
                canvas.tell(told.on_page((x, y), frame));
            }
        } else {
            let middle = (x + width / 2, y + height / 2);
            canvas.text(&LABEL.fit("nothing to show", width), middle, HPos::Center, LABEL)?;
        }
        canvas.frame(whole.grown(10), theme::RULE)?;
        for (area, mark) in &self.marks {
            canvas.mark(on_page(*area), mark.fill, &mark.title);
        }
        Ok(())
    }
}

impl Told {
    fn on_page(&self, origin: (i32, i32), frame: Frame) -> Values {
        let place = |start: i32, at: f64| start + (at * frame.tenths()).round() as i32;
        Values {
            rows: self.borders.rows.iter().map(|&row| place(origin.1, row)).collect(),
            columns: self.borders.columns.iter().map(|&column| place(origin.0, column)).collect(),
            origin,
            pixel: frame.tenths(),
            meaning: self.meaning.clone(),
            numbers: self.numbers.clone(),
        }
    }
}

fn layers(
    scene: &Scene<'_>,
    panel: &Panel,
    frame: Frame,
    Coloured { picture, borders, title, told, foot }: Coloured,
) -> Result<(Body, Foot), ReportError> {
    let area = frame.area(borders.ends());
    let picture = picture.map(|picture| {
        let pixels = |length: i32| (length.max(10) / 10) as usize;
        let (height, width) = (pixels(area.height), pixels(area.width));
        if borders.are_even() { picture } else { borders.spread(&picture, (height, width)) }
    });
    let place = |mark: &Mark| {
        let misplaced = || scene.misplaced(format!("the marks of panel `{}`", panel.label));
        Ok((frame.mark(mark).ok_or_else(misplaced)?, mark.clone()))
    };
    let marks = panel.marks.iter().map(place).collect::<Result<_, ReportError>>()?;
    Ok((Body::Picture(Layers { picture, area, title, told, marks }), foot))
}

fn map(
    scene: &Scene<'_>,
    name: &str,
    source: &Source,
    colours: &Colours,
    cells: &CellPlaces,
    frame: Frame,
) -> Result<Coloured, ReportError> {
    let numbers = scene.numbers(source, colours)?;
    let unit = scene.array(&source.array)?.meta.unit.as_str();
    let title = described(name, &numbers, colours, unit);
    let numbers = if cells.is_whole() { frame.shrunk(numbers) } else { numbers };
    let borders = borders(scene, source, cells, (numbers.height, numbers.width), frame)?;
    let picture = (!numbers.is_absent()).then(|| colour::paint(&numbers, colours));
    let foot = Foot::bar(Bar::new(colours), &[unit, meaning(colours)], frame.width);
    let told = colour::is_single(colours).then(|| Told {
        numbers: numbers.values,
        meaning: Meaning::Amount(unit.to_owned()),
        borders: borders.clone(),
    });
    Ok(Coloured { picture, borders, title, told, foot })
}

fn overlaid(
    scene: &Scene<'_>,
    name: &str,
    photograph: &Numbers,
    source: &Source,
    limit: f32,
    cells: &CellPlaces,
    frame: Frame,
) -> Result<Coloured, ReportError> {
    let colours = Colours::Signed { limit };
    let numbers = scene.numbers(source, &colours)?;
    let unit = scene.array(&source.array)?.meta.unit.as_str();
    let title = described(name, &numbers, &colours, unit);
    let numbers = if cells.is_whole() { frame.shrunk(numbers) } else { numbers };
    let of_map = borders(scene, source, cells, (numbers.height, numbers.width), frame)?;
    let pixels = frame.pixels();
    let picture = overlay::lay(photograph, &numbers, &of_map, limit, frame.extent, pixels);
    let bar = Bar { pixels: overlay::ramp(limit, STEPS), marks: marks((-limit, limit)) };
    let foot = Foot::bar(Some(bar), &[unit, meaning(&colours)], frame.width);
    let borders = Borders::whole(pixels, frame.extent);
    let meaning = Meaning::Amount(unit.to_owned());
    let told = Some(Told { numbers: numbers.values, meaning, borders: of_map });
    Ok(Coloured { picture: Some(picture), borders, title, told, foot })
}

fn borders(
    scene: &Scene<'_>,
    source: &Source,
    cells: &CellPlaces,
    counts: (usize, usize),
    frame: Frame,
) -> Result<Borders, ReportError> {
    Borders::new(cells, counts, frame.extent)
        .ok_or_else(|| scene.misplaced(format!("the cells of array `{}`", source.array)))
}

/// Says what a map shows: its name, and from where to where its numbers go.
fn described(name: &str, numbers: &Numbers, colours: &Colours, unit: &str) -> String {
    if *colours == Colours::Photograph || numbers.is_absent() {
        return name.to_owned();
    }
    let least = numbers.values.iter().copied().fold(f32::NAN, f32::min);
    let most = numbers.values.iter().copied().fold(f32::NAN, f32::max);
    let extent = format!("from {} to {}", number(f64::from(least)), number(f64::from(most)));
    sentence(&[name, [&extent, unit].join(" ").trim_end()])
}
