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
}

impl Groups {
    /// Lays channels out in blocks.
    pub(super) fn blocks(count: usize, members: usize) -> Self {
        Self { count, members, room: members.next_multiple_of(BLOCK) }
    }

    /// Counts the channels.
    pub(super) fn channels(&self) -> usize {
        self.count * self.members
    }

    /// Counts the lanes.
    pub(super) fn lanes(&self) -> usize {
        self.count * self.room
    }

    /// Says whether the lanes are those of maps whose groups follow each other without gaps.
    pub(super) fn are_together(&self) -> bool {
        self.count == 1 || self.room == self.members
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

    /// Moves the groups of maps apart, each to blocks of its own.
    pub(super) fn part(&self, pool: &Pool, maps: Maps, values: &[f32]) -> Buffer {
        let apart = Maps { channels: self.lanes(), ..maps };
        let mut moved = pool.take(apart.len());
        rearrange(maps, values, apart, &mut moved, |lane| self.channel(lane));
        moved
    }

    /// Moves groups, each in blocks of its own, to where they follow each other.
    pub(super) fn join(&self, apart: &[f32], maps: Maps, values: &mut [f32]) {
        let lanes = Maps { channels: self.lanes(), ..maps };
        let source = |channel| (channel < maps.channels).then(|| self.lane(channel));
        rearrange(lanes, apart, maps, values, source);
    }
}

/// Fills lanes with others: lane `l` with lane `source(l)`, or zero. Extents of both maps but the
/// channels are the same.
pub(super) fn rearrange(
    from: Maps,
    values: &[f32],
    to: Maps,
    target: &mut [f32],
    source: impl Fn(usize) -> Option<usize> + Sync,
) {
    for_each_chunk(target, to.plane(), |index, plane| {
        let (image, block) = (index / to.blocks(), index % to.blocks());
        for lane in 0..BLOCK {
            let targets = plane.chunks_exact_mut(BLOCK);
            let Some(source) = source(block * BLOCK + lane) else {
                targets.for_each(|cell| cell[lane] = 0.0);
                continue;
            };
            let start = (image * from.blocks() + source / BLOCK) * from.plane();
            let sources = values[start..start + from.plane()].chunks_exact(BLOCK);
            for (target, cell) in targets.zip(sources) {
                target[lane] = cell[source % BLOCK];
            }
        }
    });
}

#[cfg(test)]
mod tests {
    use super::super::blocked::Blocked;
    use super::*;

    #[test]
    fn groups_are_parted_and_joined_again() {
        let pool = Pool::default();
        for (count, members) in [(1, 5), (2, 16), (3, 5), (2, 20), (7, 3)] {
            let groups = Groups::blocks(count, members);
            let maps = Maps { batch: 2, channels: count * members, height: 2, width: 3 };
            let rows: Vec<f32> = (1..=maps.batch * maps.channels * 6).map(|x| x as f32).collect();
            let blocked = Blocked::from_rows(&pool, maps, &rows);
            let apart = groups.part(&pool, maps, blocked.values());
            let lanes = Maps { channels: groups.lanes(), ..maps };
            let apart = Blocked::new(lanes, apart);
            for (lane, map) in apart.to_rows().chunks(6).enumerate() {
                let (image, lane) = (lane / groups.lanes(), lane % groups.lanes());
                let expected = groups
                    .channel(lane)
                    .map_or(0.0, |channel| (image * maps.channels + channel) as f32 * 6.0 + 1.0);
                assert_eq!(map[0].to_bits(), expected.to_bits());
            }
            let mut joined = pool.take(maps.len());
            joined.fill(f32::NAN);
            groups.join(apart.values(), maps, &mut joined);
            assert_eq!(*joined, *blocked.values());
        }
    }

    #[test]
    fn only_groups_that_fill_their_blocks_are_together() {
        assert!(Groups::blocks(1, 5).are_together() && Groups::blocks(3, 32).are_together());
        assert!(!Groups::blocks(3, 5).are_together());
    }
}
