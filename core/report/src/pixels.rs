//! A part of an array as rows of pixels, and its way into a PNG.

use std::collections::BTreeMap;
use std::io;

use convscope_protocol::figure::Source;
use convscope_protocol::{Array, Values};
use ndarray::{ArrayViewD, Axis};

/// Numbers on a grid, one or three to a pixel. NaN where there is nothing.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Numbers {
    pub(crate) channels: usize,
    pub(crate) height: usize,
    pub(crate) width: usize,
    /// `[channel, row, column]`, row-major.
    pub(crate) values: Vec<f32>,
}

impl Numbers {
    /// Takes the part of `array` that `source` names. `None` if it is outside or no picture.
    ///
    /// Channels that are labelled blue, green, red, in the order of some networks, come out as red,
    /// green, blue.
    pub(crate) fn of(array: &Array, source: &Source) -> Option<Self> {
        let mut numbers = Self::in_order_of(array, source)?;
        let labels = array.meta.axes.get(source.index.len()).and_then(|axis| axis.labels.as_ref());
        if numbers.channels == 3 && labels.is_some_and(|labels| *labels == ["blue", "green", "red"])
        {
            let plane = numbers.height * numbers.width;
            let (blue, rest) = numbers.values.split_at_mut(plane);
            blue.swap_with_slice(&mut rest[plane..]);
        }
        Some(numbers)
    }

    fn in_order_of(array: &Array, source: &Source) -> Option<Self> {
        match &array.values {
            Values::F32(values) => Self::part(values.view(), &source.index, |&value| value),
            Values::U8(values) => Self::part(values.view(), &source.index, |&v| f32::from(v)),
            Values::U32(values) => Self::part(values.view(), &source.index, |&value| {
                if value == u32::MAX { f32::NAN } else { value as f32 }
            }),
        }
    }

    fn part<T>(
        mut view: ArrayViewD<'_, T>,
        index: &[usize],
        number: impl Fn(&T) -> f32,
    ) -> Option<Self> {
        for &step in index {
            if view.ndim() == 0 || step >= view.shape()[0] {
                return None;
            }
            view = view.index_axis_move(Axis(0), step);
        }
        let (channels, height, width) = match *view.shape() {
            [height, width] => (1, height, width),
            [channels @ (1 | 3), height, width] => (channels, height, width),
            _ => return None,
        };
        let values: Vec<f32> = view.iter().map(number).collect();
        (!values.is_empty()).then_some(Self { channels, height, width, values })
    }

    /// Says whether there is no number at all.
    pub(crate) fn is_absent(&self) -> bool {
        self.values.iter().all(|value| value.is_nan())
    }

    /// Returns the longer side.
    pub(crate) fn side(&self) -> usize {
        self.height.max(self.width)
    }

    /// Returns the numbers on a coarser grid: each the mean over its area, as far as there are
    /// numbers; absent where less than half of it is covered.
    pub(crate) fn shrunk(&self, factor: f64) -> Self {
        let height = ((self.height as f64 * factor).round() as usize).max(1);
        let width = ((self.width as f64 * factor).round() as usize).max(1);
        let rows = spans(self.height, height);
        let columns = spans(self.width, width);
        let mut values = Vec::with_capacity(self.channels * height * width);
        for plane in self.values.chunks_exact(self.height * self.width) {
            for row in &rows {
                for column in &columns {
                    values.push(self.mean(plane, row, column));
                }
            }
        }
        Self { channels: self.channels, height, width, values }
    }

    fn mean(&self, plane: &[f32], rows: &[(usize, f64)], columns: &[(usize, f64)]) -> f32 {
        let (mut sum, mut covered, mut area) = (0.0, 0.0, 0.0);
        for &(y, height) in rows {
            for &(x, width) in columns {
                let value = f64::from(plane[y * self.width + x]);
                area += height * width;
                if !value.is_nan() {
                    covered += height * width;
                    sum += value * height * width;
                }
            }
        }
        if covered * 2.0 < area { f32::NAN } else { (sum / covered) as f32 }
    }
}

/// For each of `parts` equal parts of `length` cells: the cells it touches, and by how much.
fn spans(length: usize, parts: usize) -> Vec<Vec<(usize, f64)>> {
    let step = length as f64 / parts as f64;
    (0..parts)
        .map(|part| {
            let (start, end) = (part as f64 * step, (part as f64 + 1.0) * step);
            (start.floor() as usize..(end.ceil() as usize).min(length))
                .map(|cell| (cell, end.min(cell as f64 + 1.0) - start.max(cell as f64)))
                .filter(|(_, share)| *share > 1e-9)
                .collect()
        })
        .collect()
}

/// Coloured pixels, four bytes each: red, green, blue, opacity.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Pixels {
    pub(crate) width: usize,
    pub(crate) height: usize,
    pub(crate) rgba: Vec<u8>,
}

impl Pixels {
    /// Says whether something behind it can be seen.
    pub(crate) fn has_gaps(&self) -> bool {
        self.rgba.chunks_exact(4).any(|pixel| pixel[3] != 255)
    }

    /// Returns a name made from the content.
    pub(crate) fn hash(&self) -> String {
        let mut hasher = blake3::Hasher::new();
        hasher.update(&(self.width as u64).to_le_bytes());
        hasher.update(&self.rgba);
        hasher.finalize().to_hex()[..16].to_owned()
    }

    /// Encodes as PNG: with a palette where 256 colours are enough, else in true colour.
    pub(crate) fn png(&self) -> Result<Vec<u8>, io::Error> {
        let mut palette = BTreeMap::new();
        for pixel in self.rgba.chunks_exact(4) {
            let next = palette.len();
            palette.entry([pixel[0], pixel[1], pixel[2], pixel[3]]).or_insert(next);
            if palette.len() > 256 {
                break;
            }
        }
        if palette.len() <= 256 {
            return self.indexed(&palette);
        }
        if self.has_gaps() {
            return self.encode(png::ColorType::Rgba, &self.rgba, |_| {});
        }
        let rgb: Vec<u8> = self.rgba.chunks_exact(4).flat_map(|p| p[..3].iter().copied()).collect();
        self.encode(png::ColorType::Rgb, &rgb, |_| {})
    }

    fn indexed(&self, palette: &BTreeMap<[u8; 4], usize>) -> Result<Vec<u8>, io::Error> {
        let mut colours = vec![[0; 4]; palette.len()];
        for (colour, &place) in palette {
            colours[place] = *colour;
        }
        let indices: Vec<u8> = self
            .rgba
            .chunks_exact(4)
            .filter_map(|p| palette.get(&[p[0], p[1], p[2], p[3]]))
            .map(|&place| place as u8)
            .collect();
        self.encode(png::ColorType::Indexed, &indices, |encoder| {
            encoder
                .set_palette(colours.iter().flat_map(|c| [c[0], c[1], c[2]]).collect::<Vec<_>>());
            if colours.iter().any(|colour| colour[3] != 255) {
                encoder.set_trns(colours.iter().map(|colour| colour[3]).collect::<Vec<_>>());
            }
            encoder.set_filter(png::Filter::NoFilter);
        })
    }

    fn encode(
        &self,
        kind: png::ColorType,
        bytes: &[u8],
        set: impl FnOnce(&mut png::Encoder<'_, &mut Vec<u8>>),
    ) -> Result<Vec<u8>, io::Error> {
        let mut file = Vec::new();
        let mut encoder = png::Encoder::new(&mut file, self.width as u32, self.height as u32);
        encoder.set_color(kind);
        encoder.set_depth(png::BitDepth::Eight);
        encoder.set_compression(png::Compression::High);
        set(&mut encoder);
        let mut writer = encoder.write_header().map_err(io::Error::other)?;
        writer.write_image_data(bytes).map_err(io::Error::other)?;
        writer.finish().map_err(io::Error::other)?;
        Ok(file)
    }
}

#[cfg(test)]
mod tests {
    use convscope_protocol::array::{ArrayMeta, Axis};
    use ndarray::ArrayD;

    use super::*;

    fn array(shape: &[usize]) -> Array {
        let count: usize = shape.iter().product();
        let values = (0..count).map(|i| i as f32).collect();
        let values = ArrayD::from_shape_vec(shape.to_vec(), values).unwrap().into();
        Array { name: "a".into(), meta: ArrayMeta::default(), values }
    }

    fn source(index: &[usize]) -> Source {
        Source { array: "a".into(), index: index.to_vec() }
    }

    #[test]
    fn leading_axes_are_fixed_and_two_or_three_stay() {
        let numbers = Numbers::of(&array(&[2, 3, 4, 5]), &source(&[1])).unwrap();
        assert_eq!((numbers.channels, numbers.height, numbers.width), (3, 4, 5));
        assert_eq!(numbers.values[..2], [60.0, 61.0]);
        let plane = Numbers::of(&array(&[2, 3, 4, 5]), &source(&[0, 2])).unwrap();
        assert_eq!((plane.channels, &plane.values[..2]), (1, &[40.0, 41.0][..]));
    }

    #[test]
    fn channels_in_the_order_of_the_network_become_red_green_and_blue() {
        let axes = |labels: [&str; 3]| {
            let colours = Axis::labelled("channel", labels.map(str::to_owned).to_vec());
            vec![Axis::named("image"), colours, Axis::named("row"), Axis::named("column")]
        };
        let firsts = |labels| {
            let meta = ArrayMeta { axes: axes(labels), ..ArrayMeta::default() };
            let numbers = Numbers::of(&Array { meta, ..array(&[2, 3, 1, 2]) }, &source(&[1]));
            numbers.unwrap().values
        };
        assert_eq!(firsts(["red", "green", "blue"]), [6.0, 7.0, 8.0, 9.0, 10.0, 11.0]);
        assert_eq!(firsts(["blue", "green", "red"]), [10.0, 11.0, 8.0, 9.0, 6.0, 7.0]);
    }

    #[test]
    fn what_is_outside_or_no_picture_is_refused() {
        assert_eq!(Numbers::of(&array(&[2, 4, 5]), &source(&[2])), None);
        assert_eq!(Numbers::of(&array(&[2, 4, 5]), &source(&[])), None);
        assert_eq!(Numbers::of(&array(&[4, 5]), &source(&[1])), None);
        assert_eq!(Numbers::of(&array(&[4, 5]), &source(&[1, 1, 1])), None);
        assert_eq!(Numbers::of(&array(&[0, 5]), &source(&[])), None);
    }

    #[test]
    fn shrinking_keeps_the_mean() {
        let numbers = Numbers::of(&array(&[7, 5]), &source(&[])).unwrap();
        let small = numbers.shrunk(0.4);
        let mean = |n: &Numbers| n.values.iter().sum::<f32>() / n.values.len() as f32;
        assert_eq!((small.height, small.width), (3, 2));
        assert!((mean(&numbers) - mean(&small)).abs() < 1e-4);
    }

    #[test]
    fn shrinking_leaves_out_what_is_absent() {
        let values = vec![4.0, f32::NAN, f32::NAN, f32::NAN, 2.0, 2.0, f32::NAN, f32::NAN];
        let numbers = Numbers { channels: 1, height: 2, width: 4, values };
        let small = numbers.shrunk(0.5);
        assert!((small.values[0] - 8.0 / 3.0).abs() < 1e-6);
        assert!(small.values[1].is_nan());
    }

    fn decoded(pixels: &Pixels) -> Vec<u8> {
        let file = pixels.png().unwrap();
        let mut decoder = png::Decoder::new(io::Cursor::new(file));
        decoder.set_transformations(png::Transformations::EXPAND | png::Transformations::ALPHA);
        let mut reader = decoder.read_info().unwrap();
        let mut bytes = vec![0; reader.output_buffer_size().unwrap()];
        reader.next_frame(&mut bytes).unwrap();
        bytes
    }

    #[test]
    fn a_png_holds_exactly_the_pixels_with_few_and_with_many_colours() {
        let few = Pixels { width: 2, height: 1, rgba: vec![1, 2, 3, 255, 0, 0, 0, 0] };
        assert_eq!(decoded(&few), few.rgba);
        let pixel = |i: usize| [(i % 256) as u8, (i / 256) as u8, 7, 255];
        let mut many = Pixels { width: 30, height: 20, rgba: (0..600).flat_map(pixel).collect() };
        assert_eq!(decoded(&many), many.rgba);
        many.rgba[3] = 0;
        assert_eq!(decoded(&many), many.rgba);
    }
}
