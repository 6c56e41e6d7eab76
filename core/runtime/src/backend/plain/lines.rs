//! Lines of a map, read and written with a step.

/// Copies every `step`-th value of `source`, as many as `target` holds.
pub(super) fn pick(target: &mut [f32], source: &[f32], step: usize) {
    match step {
        1 => target.copy_from_slice(&source[..target.len()]),
        2 => pick_pairs(target, source),
        _ => {
            let pairs = target.iter_mut().zip(source.iter().step_by(step));
            pairs.for_each(|(cell, value)| *cell = *value);
        }
    }
}

/// Copies every other value, in a form that compilers turn into shuffles.
fn pick_pairs(target: &mut [f32], source: &[f32]) {
    let (pairs, rest) = source.as_chunks::<2>();
    let whole = target.len().min(pairs.len());
    let (first, last) = target.split_at_mut(whole);
    first.iter_mut().zip(pairs).for_each(|(cell, pair)| *cell = pair[0]);
    last.iter_mut().zip(rest).for_each(|(cell, value)| *cell = *value);
}

/// Adds every `step`-th value of `source`, `weight` times.
pub(super) fn gather(target: &mut [f32], source: &[f32], step: usize, weight: f32) {
    if step == 1 {
        let pairs = target.iter_mut().zip(source);
        pairs.for_each(|(cell, value)| *cell += weight * value);
    } else {
        let pairs = target.iter_mut().zip(source.iter().step_by(step));
        pairs.for_each(|(cell, value)| *cell += weight * value);
    }
}

/// Adds `weight` times the values of `source` to every `step`-th cell of `target`.
pub(super) fn spread(target: &mut [f32], source: &[f32], step: usize, weight: f32) {
    if step == 1 {
        let pairs = target.iter_mut().zip(source);
        pairs.for_each(|(cell, value)| *cell += weight * value);
    } else {
        let pairs = target.iter_mut().step_by(step).zip(source);
        pairs.for_each(|(cell, value)| *cell += weight * value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn picking_takes_every_nth_value() {
        let source: Vec<f32> = (0..20_u8).map(f32::from).collect();
        for step in 1..5 {
            for length in 0..=19 / step + 1 {
                let mut target = vec![-1.0; length];
                // No value behind the last one picked is needed.
                let needed = length.checked_sub(1).map_or(0, |last| last * step + 1);
                pick(&mut target, &source[..needed], step);
                let expected: Vec<f32> =
                    source.iter().copied().step_by(step).take(length).collect();
                assert_eq!(target, expected);
            }
        }
    }

    #[test]
    fn gathering_and_spreading_are_adjoint() {
        for step in 1..4 {
            let (mut line, mut sums) = (vec![0.0; 7], vec![1.0; 3]);
            spread(&mut line, &[1.0, 2.0, 3.0], step, 2.0);
            gather(&mut sums, &line, step, 1.0);
            assert_eq!(sums, [3.0, 5.0, 7.0]);
        }
    }
}
