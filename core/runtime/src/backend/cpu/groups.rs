//! Channels in groups that do not see each other.

use super::blocked::Maps;
use super::buffer::{Buffer, Pool};
use super::micro::BLOCK;
use crate::backend::units::for_each_chunk;

/// The channels of one side of a convolution. Every group begins a block of its own, so that no
/// lane ever meets a value of another group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Groups {
    /// How many groups.
    pub count: usize,
    /// Channels of each.
    pub members: usize,
    /// Lanes from the first channel of a group to that of the next.
    pub room: usize,
    /// Lanes of a block.
    pub block: usize,
}

impl Groups {
    /// Lays channels out in blocks of 16.
    pub(super) fn blocks(count: usize, members: usize) -> Self {
        Self { count, members, room: members.next_multiple_of(BLOCK), block: BLOCK }
    }

    /// Lays the channels of a group out side by side.
    pub(super) fn cells(count: usize, members: usize) -> Self {
        Self { count, members, room: members, block: members }
    }

    /// Counts the channels.
    pub(super) fn channels(&self) -> usize {
        self.count * self.members
    }

    /// Counts the lanes.
    pub(super) fn lanes(&self) -> usize {
        self.count * self.room
    }

    /// Says whether maps in blocks are laid out so.
    pub(super) fn are_together(&self) -> bool {
        self.block == BLOCK && (self.count == 1 || self.room == self.members)
    }

    /// Returns the group and the member that a lane stands for.
    pub(super) fn member(&self, lane: usize) -> Option<(usize, usize)> {
        // Dividing would take most of the time of packing filters.
        let (group, member) =
            if self.count == 1 { (0, lane) } else { (lane / self.room, lane % self.room) };
        (group < self.count && member < self.members).then_some((group, member))
    }

    /// Returns the channel that a lane stands for.
    pub(super) fn channel(&self, lane: usize) -> Option<usize> {
        self.member(lane).map(|(group, member)| group * self.members + member)
    }

    /// Returns the lane of a channel.
    fn lane(&self, channel: usize) -> usize {
        channel / self.members * self.room + channel % self.members
    }

    /// Moves the groups of maps in blocks apart.
    pub(super) fn part(&self, pool: &Pool, maps: Maps, values: &[f32]) -> Buffer {
        let lanes = self.layout(maps);
        let mut apart = pool.take(maps.batch * maps.cells() * lanes.lanes);
        rearrange(Layout::of(maps), values, lanes, &mut apart, |lane| self.channel(lane));
        apart
    }

    /// Moves groups that are apart to where they are in maps in blocks.
    pub(super) fn join(&self, apart: &[f32], maps: Maps, values: &mut [f32]) {
        let source = |channel| (channel < maps.channels).then(|| self.lane(channel));
        rearrange(self.layout(maps), apart, Layout::of(maps), values, source);
    }

    fn layout(&self, maps: Maps) -> Layout {
        Layout { lanes: self.lanes(), block: self.block, cells: maps.cells() }
    }
}

/// How an image's values lie: `[block][cell][lane of the block]`.
#[derive(Clone, Copy, Debug)]
pub(super) struct Layout {
    lanes: usize,
    block: usize,
    cells: usize,
}

impl Layout {
    /// Returns the layout of maps in blocks of 16.
    pub(super) fn of(maps: Maps) -> Self {
        Self { lanes: maps.blocks() * BLOCK, block: BLOCK, cells: maps.cells() }
    }
}

/// Neighbouring lanes of a block that are copied from neighbouring lanes of another.
#[derive(Clone, Copy, Debug)]
struct Run {
    lane: usize,
    length: usize,
    /// The first value in the image that they are copied from; zeros without.
    source: Option<usize>,
}

/// Fills the lanes of images with others: lane `l` with lane `source(l)`, or zero.
pub(super) fn rearrange(
    from: Layout,
    values: &[f32],
    to: Layout,
    target: &mut [f32],
    source: impl Fn(usize) -> Option<usize> + Sync,
) {
    let blocks = to.lanes.checked_div(to.block).unwrap_or(0);
    for_each_chunk(target, to.block * to.cells, |index, target| {
        let image = index / blocks * from.lanes * from.cells;
        let first = index % blocks * to.block;
        let mut runs: Vec<Run> = Vec::new();
        for lane in 0..to.block {
            let source = source(first + lane).map(|source| {
                image + source / from.block * from.block * from.cells + source % from.block
            });
            let is_next = |run: &Run| {
                let next = run.source.map(|source| source + run.length);
                next == source
                    && source.is_none_or(|source| !(source - image).is_multiple_of(from.block))
            };
            match runs.last_mut() {
                Some(run) if is_next(run) => run.length += 1,
                _ => runs.push(Run { lane, length: 1, source }),
            }
        }
        copy(&runs, values, from.block, target, to.block);
    });
}

/// Copies runs of every cell of a block.
fn copy(runs: &[Run], values: &[f32], from: usize, target: &mut [f32], to: usize) {
    for cell in 0..target.len() / to {
        for run in runs {
            let place = cell * to + run.lane;
            let source = run.source.map(|source| source + cell * from);
            // Pieces of one length are copied fast. What is too much lies in runs that follow, or
            // in cells, as long as some do.
            let piece = target[place..].first_chunk_mut::<BLOCK>();
            let values = &values[source.unwrap_or(0)..];
            match (piece, values.first_chunk::<BLOCK>()) {
                (Some(piece), Some(values)) if run.length <= BLOCK && source.is_some() => {
                    *piece = *values;
                }
                _ => match source {
                    Some(_) => target[place..][..run.length].copy_from_slice(&values[..run.length]),
                    None => target[place..][..run.length].fill(0.0),
                },
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::blocked::Blocked;
    use super::*;

    #[test]
    fn groups_are_parted_and_joined_again() {
        let pool = Pool::default();
        for (count, members) in [(1, 5), (2, 16), (3, 5), (2, 20), (7, 3), (2, 40)] {
            for groups in [Groups::blocks(count, members), Groups::cells(count, members)] {
                let maps = Maps { batch: 2, channels: count * members, height: 2, width: 3 };
                let rows: Vec<f32> =
                    (1..=maps.batch * maps.channels * 6).map(|x| x as f32).collect();
                let blocked = Blocked::from_rows(&pool, maps, &rows);
                pool.poison();
                let apart = groups.part(&pool, maps, blocked.values());
                for (index, &value) in apart.iter().enumerate() {
                    let (lane, index) = (index % groups.block, index / groups.block);
                    let (cell, index) = (index % 6, index / 6);
                    let blocks = groups.lanes() / groups.block;
                    let (block, image) = (index % blocks, index / blocks);
                    let channel = groups.channel(block * groups.block + lane);
                    let expected = channel.map_or(0.0, |channel| {
                        ((image * maps.channels + channel) * 6 + cell) as f32 + 1.0
                    });
                    assert_eq!(value.to_bits(), expected.to_bits(), "{groups:?}");
                }
                let mut joined = pool.take(maps.len());
                joined.fill(f32::NAN);
                groups.join(&apart, maps, &mut joined);
                assert_eq!(*joined, *blocked.values(), "{groups:?}");
            }
        }
    }

    #[test]
    fn only_groups_that_fill_their_blocks_are_together() {
        assert!(Groups::blocks(1, 5).are_together() && Groups::blocks(3, 32).are_together());
        assert!(!Groups::blocks(3, 5).are_together() && !Groups::cells(3, 32).are_together());
    }
}
