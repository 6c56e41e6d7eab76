//! Numpy's `.npy` files.

use std::fs::{File, Metadata};
use std::io::{BufReader, BufWriter, Cursor, Read, Seek, Write};
use std::path::Path;

use convscope_runtime::{Element, Shape, Tensor};
use ndarray::{ArrayD, ArrayViewD, IxDyn};
use ndarray_npy::npy::header::{self, Layout};
use ndarray_npy::{ReadNpyExt, ReadableElement, WriteNpyError, WriteNpyExt};

use crate::rows::{TensorRows, Values, Version};
use crate::{DataError, file};

/// The longest header that is read. Real ones have 128 bytes.
const MAX_HEADER: u64 = 64 << 10;

/// Brackets inside brackets in a header. Real headers have two; the parser is recursive.
const MAX_DEPTH: usize = 8;

/// Reads an array of `float32`, `float64` or `uint8` as floating-point values.
///
/// # Errors
/// Fails when the file cannot be read, is damaged, holds less or more than its header says, other
/// elements, or numbers that are too large for `float32`.
pub fn read_npy(path: &Path) -> Result<Tensor, DataError> {
    let Opened { file, about, header } = open(path)?;
    let size = about.len();
    let refuse = |reason: String| DataError::Array { path: path.to_owned(), reason };
    let array = match header.element.as_str() {
        "<f4" | ">f4" => read_as::<f32>(file, size, &header).map_err(refuse)?,
        "<f8" | ">f8" => {
            let array = read_as::<f64>(file, size, &header).map_err(refuse)?;
            narrow(&array).map_err(refuse)?
        }
        "|u1" => read_as::<u8>(file, size, &header).map_err(refuse)?.mapv(f32::from),
        _ => {
            let (path, element) = (path.to_owned(), header.element);
            return Err(DataError::UnsupportedElement { path, element });
        }
    };
    Ok(Tensor::from(array))
}

/// Finds the rows of an array that [`read_npy`] reads. Little-endian values of single precision in C
/// order stay in the file until they are needed.
///
/// # Errors
/// As [`read_npy`].
pub(crate) fn read_rows(path: &Path) -> Result<TensorRows, DataError> {
    let Opened { about, header, .. } = open(path)?;
    if header.element != "<f4" || header.layout != Layout::Standard {
        return TensorRows::of_tensor(&read_npy(path)?);
    }
    let refuse = |reason: String| DataError::Array { path: path.to_owned(), reason };
    check_size::<f32>(about.len(), &header).map_err(refuse)?;
    let (path, start, version) = (path.to_owned(), header.length, Version::of(&about));
    let values = Values { path, start, version };
    Ok(TensorRows::of_file(Shape::new(&header.shape), values))
}

struct Opened {
    /// At its beginning.
    file: File,
    about: Metadata,
    header: Header,
}

fn open(path: &Path) -> Result<Opened, DataError> {
    let failed = |source| DataError::Read { path: path.to_owned(), source };
    let (mut file, about) = file::open(path)?;
    let mut start = Vec::new();
    Read::by_ref(&mut file).take(MAX_HEADER).read_to_end(&mut start).map_err(failed)?;
    let refuse = |reason: String| DataError::Array { path: path.to_owned(), reason };
    let header = parse_header(&start).map_err(refuse)?;
    file.rewind().map_err(failed)?;
    Ok(Opened { file, about, header })
}

/// Writes a host tensor as `float32` or `uint32`.
///
/// # Errors
/// Fails when the file cannot be written or the tensor lies on a device.
pub fn write_npy(path: &Path, tensor: &Tensor) -> Result<(), DataError> {
    match tensor.element() {
        Element::F32 => write(path, &tensor.view()?),
        Element::U32 => {
            let shape = IxDyn(tensor.shape().extents());
            let positions = tensor.positions()?;
            let view = ArrayViewD::from_shape(shape, positions).map_err(|error| {
                DataError::Array { path: path.to_owned(), reason: error.to_string() }
            })?;
            write(path, &view)
        }
    }
}

fn write(path: &Path, array: &impl WriteNpyExt) -> Result<(), DataError> {
    let failed = |source| DataError::Write { path: path.to_owned(), source };
    let mut writer = BufWriter::new(File::create(path).map_err(failed)?);
    array.write_npy(&mut writer).map_err(|error| match error {
        WriteNpyError::Io(source) => failed(source),
        other => DataError::Array { path: path.to_owned(), reason: other.to_string() },
    })?;
    writer.flush().map_err(failed)
}

struct Header {
    shape: Vec<usize>,
    element: String,
    layout: Layout,
    length: u64,
}

/// Reads the header, and checks beforehand everything that its parser trusts.
fn parse_header(start: &[u8]) -> Result<Header, String> {
    let truncated = || "the file ends inside its header".to_owned();
    let Some(rest) = start.strip_prefix(b"\x93NUMPY") else {
        return Err("it does not begin like a .npy file".to_owned());
    };
    let length = match rest {
        [1, _, low, high, ..] => u64::from(u16::from_le_bytes([*low, *high])) + 10,
        [2 | 3, _, a, b, c, d, ..] => u64::from(u32::from_le_bytes([*a, *b, *c, *d])) + 12,
        [version, ..] if !(1..=3).contains(version) => {
            return Err(format!("version {version} of the format is not known"));
        }
        _ => return Err(truncated()),
    };
    if length > MAX_HEADER {
        return Err(format!("its header has {length} bytes; at most {MAX_HEADER} are read"));
    }
    let header = start.get(..length as usize).ok_or_else(truncated)?;
    if depth(header) > MAX_DEPTH {
        return Err(format!("its header has brackets nested deeper than {MAX_DEPTH}"));
    }
    let header = header::Header::from_reader(&mut Cursor::new(header))
        .map_err(|error| format!("its header cannot be understood: {error}"))?;
    let element = match header.type_descriptor.as_string() {
        Some(name) => name.clone(),
        None => header.type_descriptor.to_string(),
    };
    Ok(Header { shape: header.shape, element, layout: header.layout, length })
}

fn depth(header: &[u8]) -> usize {
    let mut depth = 0_usize;
    header.iter().fold(0, |deepest, byte| {
        match byte {
            b'(' | b'[' | b'{' => depth += 1,
            b')' | b']' | b'}' => depth = depth.saturating_sub(1),
            _ => {}
        }
        deepest.max(depth)
    })
}

fn read_as<T: ReadableElement>(
    file: File,
    size: u64,
    header: &Header,
) -> Result<ArrayD<T>, String> {
    // Checked before anything is allocated: a header may promise any size.
    check_size::<T>(size, header)?;
    ArrayD::read_npy(BufReader::new(file)).map_err(|error| error.to_string())
}

/// Checks that the elements fill the rest of the file.
fn check_size<T>(size: u64, header: &Header) -> Result<(), String> {
    let shape = Shape::new(&header.shape);
    let width = size_of::<T>() as u64;
    let needed = header.shape.iter().try_fold(width, |all, &extent| all.checked_mul(extent as u64));
    let present = size.saturating_sub(header.length);
    if needed != Some(present) {
        return Err(format!(
            "its header promises shape {shape} of {width} bytes an element, {present} bytes follow"
        ));
    }
    Ok(())
}

fn narrow(array: &ArrayD<f64>) -> Result<ArrayD<f32>, String> {
    match array.iter().find(|value| value.is_finite() && !(**value as f32).is_finite()) {
        Some(value) => Err(format!("{value:e} is too large for float32")),
        None => Ok(array.mapv(|value| value as f32)),
    }
}

#[cfg(test)]
mod tests;
