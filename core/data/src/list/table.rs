//! Lists of pictures in CSV files.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use convscope_runtime::Region;
use csv::StringRecord;

use super::picture_file;
use crate::{DataError, Entry, Part, file};

/// The largest list that is read.
const MAX_BYTES: u64 = 256 << 20;

const COLUMNS: [&str; 7] = ["file", "label", "part", "x", "y", "width", "height"];

/// Reads the entries of a list, one per file, in the order in which the files come first.
pub(super) fn read(path: &Path) -> Result<Vec<Entry>, DataError> {
    let refuse = |line, reason| DataError::List { path: path.to_owned(), line, reason };
    let text = file::read_text(path, MAX_BYTES)?;
    let mut reader = csv::ReaderBuilder::new().trim(csv::Trim::All).from_reader(text.as_bytes());
    let failed = |error: &csv::Error| {
        refuse(error.position().map_or(1, csv::Position::line), error.to_string())
    };
    let header = reader.headers().map_err(|error| failed(&error))?;
    let columns = Columns::find(header).map_err(|reason| refuse(1, reason))?;
    let mut list = List::default();
    for record in reader.records() {
        let record = record.map_err(|error| failed(&error))?;
        let line = record.position().map_or(0, csv::Position::line);
        let row = columns.read(&record).map_err(|reason| refuse(line, reason))?;
        list.add(path, row).map_err(|error| match error {
            Refusal::Row(reason) => refuse(line, reason),
            Refusal::File(error) => refuse(line, error.to_string()),
        })?;
    }
    if list.entries.is_empty() {
        let reason = "it has no lines below its header".to_owned();
        return Err(DataError::NoPictures { place: path.display().to_string(), reason });
    }
    Ok(list.entries)
}

/// Where each of [`COLUMNS`] stands.
struct Columns([Option<usize>; 7]);

struct Row {
    file: PathBuf,
    label: Option<String>,
    part: Option<Part>,
}

impl Columns {
    fn find(header: &StringRecord) -> Result<Self, String> {
        let mut places = [None; 7];
        for (place, name) in header.iter().enumerate() {
            let Some(column) = COLUMNS.iter().position(|column| *column == name) else {
                return Err(format!("unknown column {name:?}; known are {}", COLUMNS.join(", ")));
            };
            if places[column].replace(place).is_some() {
                return Err(format!("column {name:?} stands there twice"));
            }
        }
        if places[0].is_none() {
            return Err("there is no column \"file\"; the first line must name the columns".into());
        }
        Ok(Self(places))
    }

    fn read(&self, record: &StringRecord) -> Result<Row, String> {
        let cells = self.0.map(|place| record.get(place?).filter(|cell| !cell.is_empty()));
        let [file, label, part, x, y, width, height] = cells;
        let file = PathBuf::from(file.ok_or("the file is missing")?);
        let region = [x, y, width, height];
        let part = match part {
            Some(name) => Some(Part { name: name.to_owned(), region: read_region(region)? }),
            None if region.iter().all(Option::is_none) => None,
            None => return Err("there is a region but no part".to_owned()),
        };
        Ok(Row { file, label: label.map(str::to_owned), part })
    }
}

fn read_region(cells: [Option<&str>; 4]) -> Result<Region, String> {
    let mut numbers = [0_u32; 4];
    for ((number, cell), column) in numbers.iter_mut().zip(cells).zip(&COLUMNS[3..]) {
        let cell = cell.ok_or_else(|| format!("the part has no {column}"))?;
        *number = whole(cell).ok_or_else(|| {
            format!("{column} {cell:?} is not a whole number of pixels from 0 up")
        })?;
    }
    let [x, y, width, height] = numbers;
    if width == 0 || height == 0 {
        return Err("the part is empty".to_owned());
    }
    let [Ok(top), Ok(left)] = [y, x].map(isize::try_from) else {
        return Err(format!("the part begins at row {y}, column {x}: too far"));
    };
    Ok(Region { top, left, height: height as usize, width: width as usize })
}

/// Reads `17`, and `17.0` as some tools write it.
fn whole(cell: &str) -> Option<u32> {
    let value: f64 = cell.parse().ok()?;
    let number = value as u32;
    // Written so, because it is exact: only whole numbers in range survive the way there and back.
    (f64::from(number).to_bits() == value.to_bits()).then_some(number)
}

/// The entries so far, and where each file is among them.
#[derive(Default)]
struct List {
    entries: Vec<Entry>,
    places: BTreeMap<PathBuf, usize>,
}

enum Refusal {
    Row(String),
    File(DataError),
}

impl List {
    fn add(&mut self, list: &Path, row: Row) -> Result<(), Refusal> {
        let file = list.with_file_name("").join(row.file);
        let place = if let Some(&place) = self.places.get(&file) {
            place
        } else {
            picture_file(&file).map_err(Refusal::File)?;
            self.entries.push(Entry::picture(&file));
            self.places.insert(file, self.entries.len() - 1);
            self.entries.len() - 1
        };
        let Some(Entry::Picture { label, parts, .. }) = self.entries.get_mut(place) else {
            return Ok(());
        };
        match (&*label, row.label) {
            (Some(old), Some(new)) if *old != new => {
                return Err(Refusal::Row(format!("the file was labelled {old:?}, now {new:?}")));
            }
            (None, Some(new)) => *label = Some(new),
            _ => {}
        }
        if let Some(part) = row.part {
            if parts.iter().any(|known| known.name == part.name) {
                let name = part.name;
                return Err(Refusal::Row(format!("the file has a part {name:?} already")));
            }
            parts.push(part);
        }
        Ok(())
    }
}
