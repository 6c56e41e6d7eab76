//! A map laid over a photograph in grey.

use super::cells::{Borders, middles};
use crate::colour;
use crate::pixels::{Numbers, Pixels};

/// The opacity of what reaches the limit.
const DENSEST: f32 = 0.85;
/// What stands for the photograph below a colour bar.
const MIDDLE_GREY: f32 = 128.0;

/// Lays a map over a photograph, at as many pixels as the panel has. Both share the picture of
/// `extent` pixels; where the map has no number only the photograph is seen.
pub(super) fn lay(
    photograph: &Numbers,
    map: &Numbers,
    borders: &Borders,
    limit: f32,
    extent: (usize, usize),
    (height, width): (usize, usize),
) -> Pixels {
    let below = Borders::whole((photograph.height, photograph.width), extent);
    let mut rgba = Vec::with_capacity(height * width * 4);
    for y in middles(0.0, extent.0 as f64, height) {
        for x in middles(0.0, extent.1 as f64, width) {
            let grey = below.at(y, x).map_or(f32::NAN, |cell| grey(photograph, cell));
            let value = borders.at(y, x).map_or(f32::NAN, |cell| map.values[cell]);
            rgba.extend(blend(grey, value, limit));
        }
    }
    Pixels { width, height, rgba }
}

/// Colours a colour bar from −limit to +limit, over a middle grey.
pub(super) fn ramp(limit: f32, steps: usize) -> Pixels {
    let value = |step: usize| (2.0 * step as f32 / (steps - 1) as f32 - 1.0) * limit;
    let rgba = (0..steps).flat_map(|step| blend(MIDDLE_GREY, value(step), limit)).collect();
    Pixels { width: steps, height: 1, rgba }
}

/// The luma of ITU-R BT.601.
fn grey(photograph: &Numbers, cell: usize) -> f32 {
    let plane = photograph.height * photograph.width;
    match photograph.values.as_slice() {
        values if photograph.channels == 3 => {
            let [red, green, blue] = [0, 1, 2].map(|channel| values[channel * plane + cell]);
            0.299 * red + 0.587 * green + 0.114 * blue
        }
        values => values[cell],
    }
}

fn blend(grey: f32, value: f32, limit: f32) -> [u8; 4] {
    if grey.is_nan() {
        return [0; 4];
    }
    let share = if value.is_nan() { 0.0 } else { colour::share(value, limit) };
    let opacity = DENSEST * share.abs().sqrt();
    let [r, g, b] = colour::red_blue(share);
    let mixed = |above: u8| {
        let below = grey.clamp(0.0, 255.0);
        (below + (f32::from(above) - below) * opacity).round() as u8
    };
    [mixed(r), mixed(g), mixed(b), 255]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn numbers(values: &[f32], channels: usize) -> Numbers {
        let width = values.len() / channels;
        Numbers { channels, height: 1, width, values: values.to_vec() }
    }

    fn laid(photograph: &Numbers, map: &[f32], limit: f32) -> Vec<[u8; 4]> {
        let (map, extent) = (numbers(map, 1), (1, photograph.width));
        let borders = Borders::whole((1, map.width), extent);
        let pixels = lay(photograph, &map, &borders, limit, extent, (1, map.width));
        pixels.rgba.chunks_exact(4).map(|p| [p[0], p[1], p[2], p[3]]).collect()
    }

    #[test]
    fn opacity_grows_with_the_root_of_the_value() {
        let photograph = numbers(&[100.0; 4], 1);
        let seen = laid(&photograph, &[0.0, f32::NAN, 0.5, -2.0], 2.0);
        assert_eq!(seen[..2], [[100, 100, 100, 255]; 2]);
        // A quarter of the limit: 0.85 · √0.25 of the colour, the rest grey.
        let [red, ..] = colour::red_blue(0.25);
        let expected = 100.0 + (f32::from(red) - 100.0) * 0.425;
        assert!((f32::from(seen[2][0]) - expected).abs() <= 0.5, "{seen:?}");
        assert!(seen[2][0] > seen[2][2] && seen[3][2] > seen[3][0], "{seen:?}");
    }

    #[test]
    fn a_colour_photograph_turns_grey_and_its_gaps_stay() {
        let photograph = numbers(&[255.0, f32::NAN, 0.0, 0.0, 0.0, 0.0], 3);
        assert_eq!(laid(&photograph, &[0.0, 0.0], 1.0), [[76, 76, 76, 255], [0; 4]]);
    }

    #[test]
    fn a_map_that_is_zero_everywhere_leaves_the_photograph() {
        assert_eq!(laid(&numbers(&[7.0], 1), &[0.0], 0.0), [[7, 7, 7, 255]]);
    }
}
