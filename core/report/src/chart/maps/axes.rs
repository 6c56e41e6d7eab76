//! Frame and ticks around a panel: places in pixels of the picture.

use plotters::element::PathElement;
use plotters::style::ShapeStyle;
use plotters::style::text_anchor::HPos;

use crate::ReportError;
use crate::font::Weight;
use crate::svg::{Area, Canvas, Type};
use crate::theme::SOFT;

/// The numbers beside ticks.
const TICK: Type = Type { size: 105, weight: Weight::Regular, ink: SOFT };
const LENGTH: i32 = 35;
/// What stands to the left of a panel without numbers: ticks and half a line.
pub(super) const OUTSIDE: i32 = LENGTH + 5;
/// From the end of a tick to its number.
const SPACE: i32 = 25;
/// How far a number may stand beyond its panel.
const MOST_OUT: i32 = 80;
/// Between numbers beside each other.
const CLEAR: i32 = 60;
/// From the middle of a digit to its baseline.
const RISE: i32 = 38;
/// No more steps than these fit below a narrow panel.
const MOST_STEPS: usize = 4;
/// The height of ticks and numbers below a panel.
pub(super) const BELOW: i32 = 180;

/// Which sides have numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Numbered {
    /// Below only: the panel to the left has those of the rows.
    Columns,
    /// Below and to the left.
    Both,
}

/// Returns the room that the numbers to the left of a panel need.
pub(super) fn room(height: usize) -> i32 {
    let widest = ticks(height).iter().map(|tick| TICK.width(&tick.to_string())).max();
    (widest.unwrap_or(0) + LENGTH + SPACE + 9) / 10 * 10
}

/// Draws ticks around `area`, which shows a picture of `height` × `width` pixels.
pub(super) fn draw(
    canvas: &Canvas,
    area: Area,
    (height, width): (usize, usize),
    numbered: Numbered,
) -> Result<(), ReportError> {
    let Area { x, y, width: across, height: down } = area;
    let line = |from, to| {
        let style = ShapeStyle::from(SOFT.colour()).stroke_width(10);
        canvas.draw(&PathElement::new(vec![from, to], style))
    };
    let columns = ticks(width);
    let mut numbers = Vec::new();
    // From the right: the last number has the unit, and the next ones stay clear of it.
    let mut free = i32::MAX;
    for (place, &tick) in columns.iter().enumerate().rev() {
        let at = x + along(tick, width, across);
        line((at, y + down), (at, y + down + LENGTH))?;
        let is_last = place + 1 == columns.len();
        let text = if is_last { format!("{tick} px") } else { tick.to_string() };
        let (number, all) = (TICK.width(&tick.to_string()), TICK.width(&text));
        // The number stands below its tick. It leaves its panel by less than half the space to the
        // next one.
        let left = (at - number / 2).min(x + across + MOST_OUT - all).max(x);
        if left + all + CLEAR <= free {
            free = left;
            numbers.push((text, left));
        }
    }
    for (text, left) in numbers.iter().rev() {
        canvas.text(text, (*left, y + down + LENGTH + SPACE + 80), HPos::Left, TICK)?;
    }
    let mut free = i32::MIN;
    for tick in ticks(height) {
        let at = y + along(tick, height, down);
        line((x - LENGTH, at), (x, at))?;
        let baseline = (at + RISE).max(y + 2 * RISE).min(y + down);
        if numbered == Numbered::Both && baseline >= free {
            free = baseline + TICK.line();
            let right = x - LENGTH - SPACE;
            canvas.text(&tick.to_string(), (right, baseline), HPos::Right, TICK)?;
        }
    }
    Ok(())
}

fn along(tick: usize, extent: usize, length: i32) -> i32 {
    (tick as f64 / extent as f64 * f64::from(length)).round() as i32
}

/// Returns round numbers from 0 to `extent`, a few at most.
fn ticks(extent: usize) -> Vec<usize> {
    let mut step = 1;
    let mut factors = [2.0, 2.5, 2.0].iter().cycle();
    while extent / step > MOST_STEPS {
        step = (step as f64 * factors.next().unwrap_or(&10.0)).round() as usize;
    }
    (0..=extent).step_by(step).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_are_round_and_few() {
        assert_eq!(ticks(224), [0, 50, 100, 150, 200]);
        assert_eq!(ticks(299), [0, 100, 200]);
        assert_eq!(ticks(32), [0, 10, 20, 30]);
        assert_eq!(ticks(8), [0, 2, 4, 6, 8]);
        assert_eq!(ticks(3), [0, 1, 2, 3]);
        assert_eq!(ticks(1000), [0, 500, 1000]);
    }
}
