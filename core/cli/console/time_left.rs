//! Guesses how long work goes on, from how far it has come lately.

use std::time::{Duration, Instant};

/// Least time between two looks at the pace.
const BETWEEN_LOOKS: Duration = Duration::from_millis(500);
/// What happened before this long counts little: the pace changes from part to part of the work.
const MEMORY: f64 = 20.0;
/// A guess that is renewed moves by this share of the difference in a second.
const EASE: f64 = 0.15;
/// Nobody can tell before so long, in seconds.
const GROUND: f64 = 1.0;
/// Or before so much is done.
const LEAST_DONE: f64 = 0.01;

/// The pace of work, from 0 to 1.
#[derive(Clone, Copy, Debug)]
pub(crate) struct TimeLeft {
    started: Instant,
    looked: Instant,
    done: f64,
    /// Share of the work and seconds, both weighed by how long ago they were.
    pace: [f64; 2],
    /// Seconds left by the last guess, and when that was.
    guess: Option<(f64, Instant)>,
}

impl TimeLeft {
    /// Begins with nothing done.
    pub(crate) fn start(now: Instant) -> Self {
        Self { started: now, looked: now, done: 0.0, pace: [0.0; 2], guess: None }
    }

    /// Returns when the work began.
    pub(crate) fn started(&self) -> Instant {
        self.started
    }

    /// Takes how much is done, and returns the seconds left once there is ground for a guess.
    pub(crate) fn at(&mut self, done: f64, now: Instant) -> Option<f64> {
        if done < self.done {
            *self = Self::start(now);
        }
        let seconds = (now - self.looked).as_secs_f64();
        if now - self.looked >= BETWEEN_LOOKS {
            let weight = (-seconds / MEMORY).exp();
            let [share, time] = self.pace.map(|sum| sum * weight);
            self.pace = [share + done - self.done, time + seconds];
            (self.looked, self.done) = (now, done);
            self.guess = self.renewed(done, now);
        }
        let (guess, then) = self.guess?;
        Some((guess - (now - then).as_secs_f64()).max(0.0))
    }

    fn renewed(&self, done: f64, now: Instant) -> Option<(f64, Instant)> {
        let [share, time] = self.pace;
        let has_ground = (now - self.started).as_secs_f64() >= GROUND && done >= LEAST_DONE;
        if !has_ground || share <= 0.0 || done >= 1.0 {
            return None;
        }
        let fresh = (1.0 - done) * time / share;
        let Some((guess, then)) = self.guess else { return Some((fresh, now)) };
        let passed = (now - then).as_secs_f64();
        let expected = (guess - passed).max(0.0);
        let eased = expected + (fresh - expected) * (1.0 - (1.0 - EASE).powf(passed));
        Some((eased, now))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The guesses at each half second of work whose share done at a second is given.
    fn guesses(seconds: usize, done: impl Fn(f64) -> f64) -> Vec<Option<f64>> {
        let start = Instant::now();
        let mut left = TimeLeft::start(start);
        (0..=2 * seconds)
            .map(|step| {
                let second = step as f64 / 2.0;
                left.at(done(second), start + Duration::from_secs_f64(second))
            })
            .collect()
    }

    #[test]
    fn even_work_is_guessed_right_from_the_beginning() {
        let guesses = guesses(100, |second| second / 100.0);
        assert_eq!(guesses[0], None);
        assert_eq!(guesses[1], None);
        for (step, guess) in guesses.iter().enumerate().skip(2).take(190) {
            let expected = 100.0 - step as f64 / 2.0;
            assert!((guess.unwrap() - expected).abs() < 0.5, "{step}: {guess:?}");
        }
    }

    #[test]
    fn what_was_there_at_once_is_forgotten() {
        // Half of the work is re-used within a second, the rest takes 100.
        let guesses = guesses(101, |second| (0.5 * second).min(0.5 + (second - 1.0) / 200.0));
        let at = |second: usize| guesses[2 * second].unwrap();
        assert!(at(2) < 10.0, "{}", at(2));
        assert!((at(70) - 31.0).abs() < 8.0, "{}", at(70));
    }

    #[test]
    fn the_guess_does_not_jump() {
        // Progress comes every 5 seconds in steps, as pictures are done.
        let guesses = guesses(300, |second| (second / 5.0).floor() * 5.0 / 300.0);
        for pair in guesses[40..].windows(2) {
            let [Some(before), Some(after)] = pair else { continue };
            assert!((after - before + 0.5).abs() < 0.1 * before + 1.0, "{before} {after}");
        }
    }

    #[test]
    fn work_that_begins_anew_is_guessed_anew() {
        let start = Instant::now();
        let mut left = TimeLeft::start(start);
        let at = |second: u64| start + Duration::from_secs(second);
        left.at(0.5, at(10));
        assert!(left.at(0.6, at(12)).is_some());
        assert_eq!(left.at(0.0, at(13)), None);
    }
}
