//! The file of one entry.
//!
//! ```text
//! "convscope cache\n"    16 bytes
//! format                  4 bytes, little endian, as all numbers
//! key                    32 bytes
//! length of the head      8 bytes
//! head                   JSON: what is said about the arrays, then element type and shape of each
//! arrays                 values, row-major
//! hash                   32 bytes, BLAKE3 of all before
//! ```

use std::fs::File;
use std::io::{self, BufReader, BufWriter, Read, Write};

use convscope_protocol::Values;
use ndarray::{ArcArray, IxDyn};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::Key;

const MAGIC: &[u8; 16] = b"convscope cache\n";
/// Changes with the layout of the file; entries of another format are ignored.
const FORMAT: u32 = 1;
const HASH: u64 = 32;
/// Bytes of everything but head and arrays.
const FRAME: u64 = MAGIC.len() as u64 + 4 + 32 + 8 + HASH;
/// Bytes that are converted together.
const BLOCK: usize = 1 << 16;

#[derive(Serialize, Deserialize)]
struct Head<C> {
    content: C,
    arrays: Vec<Layout>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Layout {
    element: Element,
    shape: Vec<usize>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Element {
    F32,
    U32,
    U8,
}

impl Layout {
    fn of(values: &Values) -> Self {
        let element = match values {
            Values::F32(_) => Element::F32,
            Values::U32(_) => Element::U32,
            Values::U8(_) => Element::U8,
        };
        Self { element, shape: values.shape().to_vec() }
    }

    /// Returns the number of values and of bytes, if they can be counted.
    fn extent(&self) -> Option<(usize, u64)> {
        // An empty axis must not hide extents that do not fit.
        self.shape.iter().try_fold(1_usize, |volume, &extent| volume.checked_mul(extent.max(1)))?;
        let volume: usize = self.shape.iter().product();
        let each = match self.element {
            Element::F32 | Element::U32 => 4,
            Element::U8 => 1,
        };
        Some((volume, (volume as u64).checked_mul(each)?))
    }
}

/// Why an entry cannot be used.
#[derive(Debug)]
pub(super) enum Unusable {
    /// It was written by a convscope with another format.
    OtherFormat,
    /// It is not what was written; in words.
    Damaged(&'static str),
    /// It cannot be read.
    Unread(io::Error),
}

impl From<io::Error> for Unusable {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::UnexpectedEof => Self::Damaged("it is cut off"),
            _ => Self::Unread(error),
        }
    }
}

/// What is to be written, with its size known.
pub(super) struct Draft<'a> {
    head: Vec<u8>,
    arrays: &'a [&'a Values],
}

impl<'a> Draft<'a> {
    /// Makes ready to write; nothing where the content would not be read back as it is.
    pub(super) fn new<C>(content: &C, arrays: &'a [&'a Values]) -> Option<Self>
    where
        C: Serialize + DeserializeOwned + PartialEq,
    {
        let layouts: Vec<Layout> = arrays.iter().map(|values| Layout::of(values)).collect();
        let head = serde_json::to_vec(&Head { content, arrays: layouts }).ok()?;
        // JSON has no NaN and no infinity, for example.
        let back: Head<C> = serde_json::from_slice(&head).ok()?;
        (back.content == *content).then_some(Self { head, arrays })
    }

    /// Returns the size of the file in bytes.
    pub(super) fn bytes(&self) -> u64 {
        let arrays = self.arrays.iter().filter_map(|values| Layout::of(values).extent());
        let arrays: u64 = arrays.map(|(_, bytes)| bytes).sum();
        FRAME.saturating_add(self.head.len() as u64).saturating_add(arrays)
    }

    /// Writes the entry of a key.
    pub(super) fn write(&self, key: &Key, file: File) -> io::Result<()> {
        let mut out = Hashed { inner: BufWriter::new(file), hasher: blake3::Hasher::new() };
        out.write_all(MAGIC)?;
        out.write_all(&FORMAT.to_le_bytes())?;
        out.write_all(key.bytes())?;
        out.write_all(&(self.head.len() as u64).to_le_bytes())?;
        out.write_all(&self.head)?;
        for values in self.arrays {
            match values {
                Values::F32(array) => put(&mut out, array.iter().map(|v| v.to_le_bytes()))?,
                Values::U32(array) => put(&mut out, array.iter().map(|v| v.to_le_bytes()))?,
                Values::U8(array) => put(&mut out, array.iter().map(|v| [*v]))?,
            }
        }
        let Hashed { mut inner, hasher } = out;
        inner.write_all(hasher.finalize().as_bytes())?;
        inner.flush()
    }
}

/// Writes values block by block.
fn put<const N: usize>(
    out: &mut impl Write,
    values: impl Iterator<Item = [u8; N]>,
) -> io::Result<()> {
    let mut block = Vec::with_capacity(BLOCK);
    for value in values {
        block.extend_from_slice(&value);
        if block.len() + N > BLOCK {
            out.write_all(&block)?;
            block.clear();
        }
    }
    out.write_all(&block)
}

/// Reads the entry of a key from a file of so many bytes.
pub(super) fn read<C: DeserializeOwned>(
    key: &Key,
    file: File,
    bytes: u64,
) -> Result<(C, Vec<Values>), Unusable> {
    let Some(mut left) = bytes.checked_sub(FRAME) else {
        return Err(Unusable::Damaged("it is cut off"));
    };
    let mut from = Hashed { inner: BufReader::new(file), hasher: blake3::Hasher::new() };
    if from.take_array::<16>()? != *MAGIC {
        return Err(Unusable::Damaged("it begins with something else"));
    }
    if u32::from_le_bytes(from.take_array()?) != FORMAT {
        return Err(Unusable::OtherFormat);
    }
    if from.take_array::<32>()? != *key.bytes() {
        return Err(Unusable::Damaged("it belongs to another key"));
    }
    let wrong = || Unusable::Damaged("its parts do not fit together");
    let length = u64::from_le_bytes(from.take_array()?);
    left = left.checked_sub(length).ok_or_else(wrong)?;
    let mut head = Vec::new();
    (&mut from).take(length).read_to_end(&mut head)?;
    let head = serde_json::from_slice::<Head<C>>(&head);
    // A byte that was changed may make the head unreadable: the hash would not fit either.
    let Head { content, arrays } =
        head.map_err(|_| Unusable::Damaged("it cannot be understood"))?;
    let mut values = Vec::new();
    for layout in arrays {
        let (volume, bytes) = layout.extent().ok_or_else(wrong)?;
        left = left.checked_sub(bytes).ok_or_else(wrong)?;
        let shape = IxDyn(&layout.shape);
        let array = match layout.element {
            Element::F32 => {
                array(shape, get(&mut from, volume, f32::from_le_bytes)?).map(Values::F32)
            }
            Element::U32 => {
                array(shape, get(&mut from, volume, u32::from_le_bytes)?).map(Values::U32)
            }
            Element::U8 => array(shape, get(&mut from, volume, |[byte]| byte)?).map(Values::U8),
        };
        values.push(array.ok_or_else(wrong)?);
    }
    if left > 0 {
        return Err(wrong());
    }
    let hash = from.hasher.finalize();
    if from.take_array::<32>()? != *hash.as_bytes() {
        return Err(Unusable::Damaged("its hash is another one"));
    }
    Ok((content, values))
}

fn array<T>(shape: IxDyn, values: Vec<T>) -> Option<ArcArray<T, IxDyn>> {
    ArcArray::from_shape_vec(shape, values).ok()
}

/// Reads values block by block.
fn get<T, const N: usize>(
    from: &mut impl Read,
    count: usize,
    value: impl Fn([u8; N]) -> T,
) -> io::Result<Vec<T>> {
    let mut values = Vec::with_capacity(count);
    let mut block = vec![0; BLOCK.min(count.saturating_mul(N))];
    while values.len() < count {
        let bytes = ((count - values.len()) * N).min(BLOCK);
        let block = &mut block[..bytes];
        from.read_exact(block)?;
        let (numbers, _) = block.as_chunks::<N>();
        values.extend(numbers.iter().map(|bytes| value(*bytes)));
    }
    Ok(values)
}

/// Hashes what passes.
struct Hashed<T> {
    inner: T,
    hasher: blake3::Hasher,
}

impl<T: Read> Hashed<T> {
    fn take_array<const N: usize>(&mut self) -> io::Result<[u8; N]> {
        let mut bytes = [0; N];
        self.read_exact(&mut bytes)?;
        Ok(bytes)
    }
}

impl<T: Read> Read for Hashed<T> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.inner.read(buffer)?;
        self.hasher.update(&buffer[..count]);
        Ok(count)
    }
}

impl<T: Write> Write for Hashed<T> {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        let count = self.inner.write(buffer)?;
        self.hasher.update(&buffer[..count]);
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}
