//! Lists of pictures in CSV files.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use convscope_runtime::Region;
use csv::StringRecord;

use super::{MAX_FILES, picture_file};
use crate::mistake::Mistake;
use crate::suggest::did_you_mean;
use crate::{DataError, Entry, Part, file};

/// The largest list that is read.
const MAX_BYTES: u64 = 256 << 20;

/// How many mistakes are looked for: more than are told, so that it is seen that there are more.
const MAX_MISTAKES: usize = 1000;

const COLUMNS: [&str; 7] = ["file", "label", "part", "x", "y", "width", "height"];

/// Reads the entries of a list, one per file, in the order in which the files come first.
pub(super) fn read(path: &Path) -> Result<Vec<Entry>, DataError> {
    let text = file::read_text(path, MAX_BYTES)?;
    let mut list = List { folder: path.with_file_name(""), ..List::default() };
    let mut reader =
        csv::ReaderBuilder::new().trim(csv::Trim::All).flexible(true).from_reader(text.as_bytes());
    let columns = match reader.headers() {
        Ok(header) => Columns::find(header, &mut list.mistakes),
        Err(error) => {
            list.mistakes.push(Mistake::at(1, error.to_string()));
            None
        }
    };
    if let Some(columns) = columns {
        for record in reader.records() {
            if list.mistakes.len() >= MAX_MISTAKES || list.entries.len() > MAX_FILES {
                break;
            }
            match record {
                Ok(record) => list.add(&columns, &record),
                Err(error) => {
                    let line = error.position().map_or(1, csv::Position::line);
                    list.mistakes.push(Mistake::at(line, error.to_string()));
                }
            }
        }
    }
    if !list.mistakes.is_empty() {
        return Err(DataError::List { path: path.to_owned(), mistakes: list.mistakes });
    }
    if list.entries.is_empty() {
        let reason = "it has no lines below its header".to_owned();
        return Err(DataError::NoPictures { place: path.display().to_string(), reason });
    }
    Ok(list.entries)
}

/// How many columns there are, and where each of [`COLUMNS`] stands.
struct Columns {
    count: usize,
    places: [Option<usize>; 7],
}

struct Row {
    file: PathBuf,
    label: Option<String>,
    part: Option<Part>,
}

impl Columns {
    /// Finds the columns, or notes everything that is wrong with them.
    fn find(header: &StringRecord, mistakes: &mut Vec<Mistake>) -> Option<Self> {
        let before = mistakes.len();
        let mut refuse = |reason: String| mistakes.push(Mistake::at(1, reason));
        let mut places = [None; 7];
        for (place, name) in header.iter().enumerate() {
            let Some(column) = COLUMNS.iter().position(|column| *column == name) else {
                let hint = if name.contains([';', '\t']) {
                    "; columns are separated by commas".to_owned()
                } else {
                    did_you_mean(name, &COLUMNS)
                };
                refuse(format!("unknown column {name:?}; known are {}{hint}", COLUMNS.join(", ")));
                continue;
            };
            if places[column].replace(place).is_some() {
                refuse(format!("column {name:?} stands there twice"));
            }
        }
        if places[0].is_none() {
            refuse("there is no column \"file\"; the first line must name the columns".to_owned());
        }
        (mistakes.len() == before).then_some(Self { count: header.len(), places })
    }

    fn read(&self, record: &StringRecord) -> Result<Row, String> {
        if record.len() != self.count {
            let (cells, wanted) = (record.len(), self.count);
            return Err(format!("it has {cells} cells, the first line {wanted}"));
        }
        if record.iter().any(|cell| cell.contains(['\n', '\r'])) {
            return Err("a cell holds a line break; is a quote not closed?".to_owned());
        }
        let cells = self.places.map(|place| record.get(place?).filter(|cell| !cell.is_empty()));
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

/// The entries so far, where each file is among them, and what was wrong.
#[derive(Default)]
struct List {
    folder: PathBuf,
    entries: Vec<Entry>,
    places: BTreeMap<PathBuf, usize>,
    /// Those of the entries that had a line without a part.
    whole: BTreeSet<usize>,
    mistakes: Vec<Mistake>,
}

impl List {
    fn add(&mut self, columns: &Columns, record: &StringRecord) {
        let line = record.position().map_or(0, csv::Position::line);
        let added = columns.read(record).and_then(|row| self.add_row(row));
        if let Err(reason) = added {
            self.mistakes.push(Mistake::at(line, reason));
        }
    }

    fn add_row(&mut self, row: Row) -> Result<(), String> {
        let file = self.folder.join(row.file);
        let place = if let Some(&place) = self.places.get(&file) {
            place
        } else {
            picture_file(&file).map_err(|error| error.to_string())?;
            self.entries.push(Entry::picture(&file));
            self.places.insert(file, self.entries.len() - 1);
            self.entries.len() - 1
        };
        let Some(Entry::Picture { label, parts, .. }) = self.entries.get_mut(place) else {
            return Ok(());
        };
        match (&*label, row.label) {
            (Some(old), Some(new)) if *old != new => {
                return Err(format!("the file was labelled {old:?}, now {new:?}"));
            }
            (None, Some(new)) => *label = Some(new),
            _ => {}
        }
        match row.part {
            Some(part) if parts.iter().any(|known| known.name == part.name) => {
                Err(format!("the file has a part {:?} already", part.name))
            }
            Some(part) => {
                parts.push(part);
                Ok(())
            }
            None if self.whole.insert(place) => Ok(()),
            None => Err("the file stands there already".to_owned()),
        }
    }
}
