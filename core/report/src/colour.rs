//! Numbers become colours. What is absent (NaN) stays transparent.

use convscope_protocol::figure::Colours;

use crate::pixels::{Numbers, Pixels};

/// Colours every pixel. A colour map for single numbers reads the first channel only.
pub(crate) fn paint(numbers: &Numbers, colours: &Colours) -> Pixels {
    let area = numbers.height * numbers.width;
    let mut rgba = Vec::with_capacity(area * 4);
    for place in 0..area {
        let channel = |c: usize| numbers.values[(c % numbers.channels) * area + place];
        rgba.extend(pixel([channel(0), channel(1), channel(2)], colours));
    }
    Pixels { width: numbers.width, height: numbers.height, rgba }
}

/// Says whether a colour map shows one number to a pixel.
pub(crate) fn is_single(colours: &Colours) -> bool {
    matches!(colours, Colours::Signed { .. } | Colours::Viridis { .. })
}

/// Returns the ends of the scale, or `None` for photographs, which have none.
pub(crate) fn ends(colours: &Colours) -> Option<(f32, f32)> {
    match *colours {
        Colours::Photograph => None,
        Colours::AroundGrey { limit } | Colours::Signed { limit } => Some((-limit, limit)),
        Colours::Viridis { low, high } => Some((low, high)),
    }
}

fn pixel(channels: [f32; 3], colours: &Colours) -> [u8; 4] {
    if channels.iter().any(|value| value.is_nan()) {
        return [0; 4];
    }
    let [red, green, blue] = match *colours {
        Colours::Photograph => channels.map(|value| value.round().clamp(0.0, 255.0) as u8),
        Colours::AroundGrey { limit } => channels.map(|value| grey(value, limit)),
        Colours::Signed { limit } => red_blue(share(channels[0], limit)),
        Colours::Viridis { low, high } => {
            let extent = f64::from(high) - f64::from(low);
            let place = (f64::from(channels[0]) - f64::from(low)) / extent;
            gradient(colorous::VIRIDIS, if extent > 0.0 { place } else { 0.5 })
        }
    };
    [red, green, blue, 255]
}

/// Zero is exactly the middle grey, 128.
fn grey(value: f32, limit: f32) -> u8 {
    (128.0 + 127.0 * share(value, limit)).round() as u8
}

/// Returns the colour of a share of the limit, from −1 to 1: blue, white, red.
pub(crate) fn red_blue(share: f32) -> [u8; 3] {
    // RED_BLUE goes from red to blue, and positive is red.
    gradient(colorous::RED_BLUE, 0.5 - f64::from(share) / 2.0)
}

/// Returns value / limit within −1 to 1. A limit of zero belongs to a map that is zero everywhere.
pub(crate) fn share(value: f32, limit: f32) -> f32 {
    if value == 0.0 { 0.0 } else { (value / limit).clamp(-1.0, 1.0) }
}

fn gradient(gradient: colorous::Gradient, place: f64) -> [u8; 3] {
    let colour = gradient.eval_continuous(place.clamp(0.0, 1.0));
    [colour.r, colour.g, colour.b]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn painted(values: &[f32], channels: usize, colours: &Colours) -> Vec<[u8; 4]> {
        let width = values.len() / channels;
        let numbers = Numbers { channels, height: 1, width, values: values.to_vec() };
        let pixels = paint(&numbers, colours);
        pixels.rgba.chunks_exact(4).map(|p| [p[0], p[1], p[2], p[3]]).collect()
    }

    #[test]
    fn zero_is_middle_grey_and_the_limits_saturate() {
        let colours = Colours::AroundGrey { limit: 2.0 };
        let seen = painted(&[0.0, 2.0, -2.0, 9.0, -9.0, 1.0], 1, &colours);
        let greys: Vec<u8> = seen.iter().map(|pixel| pixel[0]).collect();
        assert_eq!(greys, [128, 255, 1, 255, 1, 192]);
        assert!(seen.iter().all(|p| p[0] == p[1] && p[1] == p[2] && p[3] == 255));
    }

    #[test]
    fn a_map_that_is_zero_everywhere_is_grey_under_a_limit_of_zero() {
        let seen = painted(&[0.0, -0.0], 1, &Colours::AroundGrey { limit: 0.0 });
        assert_eq!(seen, [[128, 128, 128, 255]; 2]);
    }

    #[test]
    fn three_channels_become_red_green_and_blue() {
        let seen = painted(&[10.4, 20.0, 300.0], 3, &Colours::Photograph);
        assert_eq!(seen, [[10, 20, 255, 255]]);
    }

    #[test]
    fn what_is_absent_is_transparent_under_every_map() {
        let maps = [
            Colours::Photograph,
            Colours::AroundGrey { limit: 1.0 },
            Colours::Signed { limit: 1.0 },
            Colours::Viridis { low: 0.0, high: 1.0 },
        ];
        for colours in maps {
            assert_eq!(painted(&[f32::NAN], 1, &colours), [[0; 4]], "{colours:?}");
        }
    }

    #[test]
    fn positive_is_red_negative_is_blue_and_zero_nearly_white() {
        let seen = painted(&[1.0, -1.0, 0.0], 1, &Colours::Signed { limit: 1.0 });
        assert!(seen[0][0] > seen[0][2], "{seen:?}");
        assert!(seen[1][2] > seen[1][0], "{seen:?}");
        assert!(seen[2][..3].iter().all(|&c| c > 235), "{seen:?}");
    }

    #[test]
    fn viridis_grows_brighter_from_low_to_high() {
        let values: Vec<f32> = (0..=10).map(|i| 3.0 + i as f32).collect();
        let seen = painted(&values, 1, &Colours::Viridis { low: 3.0, high: 13.0 });
        let sums: Vec<u32> = seen
            .iter()
            .map(|p| 2 * u32::from(p[0]) + 7 * u32::from(p[1]) + u32::from(p[2]))
            .collect();
        assert!(sums.is_sorted(), "{sums:?}");
        assert_eq!(seen[0], [68, 1, 84, 255]);
    }
}
