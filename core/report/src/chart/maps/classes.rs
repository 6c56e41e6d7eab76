//! Class maps: which classes get a colour, and their legend.

use std::collections::{BTreeMap, BTreeSet};

use convscope_protocol::figure::{ClassName, Source};
use convscope_protocol::{Array, Values};
use ndarray::Axis;

use crate::pixels::Pixels;

/// Okabe & Ito (2008), told apart with every kind of colour vision; quiet ones first, since the
/// first class mostly fills the map.
const COLOURS: [[u8; 3]; 7] = [
    [0x56, 0xb4, 0xe9],
    [0xe6, 0x9f, 0x00],
    [0x00, 0x9e, 0x73],
    [0xcc, 0x79, 0xa7],
    [0xf0, 0xe4, 0x42],
    [0x00, 0x72, 0xb2],
    [0xd5, 0x5e, 0x00],
];
/// All other classes together.
const OTHER: [u8; 3] = [0x99, 0x99, 0x99];

/// Class numbers on a grid; `u32::MAX` for none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Labels {
    pub(super) height: usize,
    pub(super) width: usize,
    values: Vec<u32>,
}

/// One line of a legend.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) colour: [u8; 3],
    pub(super) words: String,
}

/// The colours that classes have got so far: each keeps its own as long as it can.
#[derive(Debug, Default)]
pub(super) struct Palette(BTreeMap<u32, usize>);

impl Labels {
    /// Takes the part of `array` that `source` names. `None` if it holds no class numbers.
    pub(super) fn of(array: &Array, source: &Source) -> Option<Self> {
        let Values::U32(values) = &array.values else { return None };
        let mut view = values.view();
        for &step in &source.index {
            if view.ndim() == 0 || step >= view.shape()[0] {
                return None;
            }
            view = view.index_axis_move(Axis(0), step);
        }
        let &[height, width] = view.shape() else { return None };
        let values: Vec<u32> = view.iter().copied().collect();
        (!values.is_empty()).then_some(Self { height, width, values })
    }

    /// Returns what the classes that occur are called, the most frequent first.
    pub(super) fn names(&self, names: &[ClassName]) -> Vec<String> {
        self.ranking().iter().map(|(class, _)| name(*class, names)).collect()
    }

    /// Returns the place of every cell's class among the names; NaN for none.
    pub(super) fn places(&self) -> Vec<f32> {
        let ranking = self.ranking();
        let places = ranking.iter().enumerate().map(|(place, (class, _))| (*class, place as f32));
        let places: BTreeMap<u32, f32> = places.collect();
        self.values.iter().map(|class| places.get(class).copied().unwrap_or(f32::NAN)).collect()
    }

    /// Returns the classes that occur and how often, the most frequent first.
    fn ranking(&self) -> Vec<(u32, usize)> {
        let mut counts = BTreeMap::new();
        for &class in self.values.iter().filter(|&&class| class != u32::MAX) {
            *counts.entry(class).or_insert(0) += 1;
        }
        let mut ranking: Vec<(u32, usize)> = counts.into_iter().collect();
        ranking.sort_by_key(|&(class, count)| (std::cmp::Reverse(count), class));
        ranking
    }
}

impl Palette {
    /// Colours a class map and writes its legend.
    pub(super) fn paint(&mut self, labels: &Labels, names: &[ClassName]) -> (Pixels, Vec<Entry>) {
        let ranking = labels.ranking();
        let all: usize = ranking.iter().map(|(_, count)| count).sum();
        let (shown, rest) = ranking.split_at(ranking.len().min(COLOURS.len()));
        let colours = self.choose(shown);
        let pixel = |class: &u32| match (*class, colours.get(class)) {
            (u32::MAX, _) => [0; 4],
            (_, Some([r, g, b])) => [*r, *g, *b, 255],
            (_, None) => [OTHER[0], OTHER[1], OTHER[2], 255],
        };
        let rgba = labels.values.iter().flat_map(pixel).collect();
        let pixels = Pixels { width: labels.width, height: labels.height, rgba };
        let mut entries: Vec<Entry> = shown
            .iter()
            .map(|(class, count)| {
                let words = format!("{} {}", percent(*count, all), name(*class, names));
                Entry { colour: colours.get(class).copied().unwrap_or(OTHER), words }
            })
            .collect();
        if !rest.is_empty() {
            let count = rest.iter().map(|(_, count)| count).sum();
            let noun = if rest.len() == 1 { "class" } else { "classes" };
            let words = format!("{} {} other {noun}", percent(count, all), rest.len());
            entries.push(Entry { colour: OTHER, words });
        }
        (pixels, entries)
    }

    /// Gives each class a colour that no other of them has: its own from before, or a free one.
    fn choose(&mut self, shown: &[(u32, usize)]) -> BTreeMap<u32, [u8; 3]> {
        let mut taken = BTreeSet::new();
        let mut chosen = BTreeMap::new();
        for (class, _) in shown {
            if let Some(&place) = self.0.get(class)
                && taken.insert(place)
            {
                chosen.insert(*class, COLOURS[place]);
            }
        }
        for (class, _) in shown {
            if chosen.contains_key(class) {
                continue;
            }
            let free = |place: &usize| !taken.contains(place);
            // Colours that no class has yet come first: rows with different classes look different.
            let unused = |place: &usize| free(place) && !self.0.values().any(|used| used == place);
            let place = (0..COLOURS.len()).find(unused).or_else(|| (0..COLOURS.len()).find(free));
            let Some(place) = place else { continue };
            taken.insert(place);
            chosen.insert(*class, COLOURS[place]);
            self.0.insert(*class, place);
        }
        chosen
    }
}

fn name(class: u32, names: &[ClassName]) -> String {
    let known = names.iter().find(|known| known.class == class && !known.name.is_empty());
    known.map_or_else(|| format!("class {class}"), |known| known.name.clone())
}

/// Writes a share so that it is neither none nor all where it is not.
fn percent(count: usize, all: usize) -> String {
    let share = (count as f64 / all as f64 * 100.0).round();
    if share < 1.0 {
        "< 1 %".to_owned()
    } else if share > 99.0 && count < all {
        "> 99 %".to_owned()
    } else {
        format!("{share} %")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(values: &[u32]) -> Labels {
        Labels { height: 1, width: values.len(), values: values.to_vec() }
    }

    fn words(entries: &[Entry]) -> Vec<&str> {
        entries.iter().map(|entry| entry.words.as_str()).collect()
    }

    #[test]
    fn the_most_frequent_class_comes_first_and_of_equals_the_smaller_number() {
        let names = [ClassName { class: 9, name: "tabby".into() }];
        let (pixels, entries) = Palette::default().paint(&labels(&[4, 9, 9, 2, u32::MAX]), &names);
        assert_eq!(words(&entries), ["50 % tabby", "25 % class 2", "25 % class 4"]);
        assert_eq!(pixels.rgba[16..], [0; 4]);
        assert_eq!(pixels.rgba[4..7], entries[0].colour);
        assert_eq!(pixels.rgba[..3], entries[2].colour);
    }

    #[test]
    fn seven_classes_have_a_colour_and_the_rest_are_other() {
        let values: Vec<u32> = (0..9).flat_map(|class| vec![class; 20 - class as usize]).collect();
        let (pixels, entries) = Palette::default().paint(&labels(&values), &[]);
        assert_eq!(entries.len(), 8);
        assert_eq!(words(&entries)[7], "17 % 2 other classes");
        let colours: BTreeSet<[u8; 3]> = entries.iter().map(|entry| entry.colour).collect();
        assert_eq!(colours.len(), 8);
        assert_eq!(pixels.rgba[pixels.rgba.len() - 4..], [0x99, 0x99, 0x99, 255]);
    }

    #[test]
    fn a_class_keeps_its_colour_and_new_ones_take_others() {
        let mut palette = Palette::default();
        let (_, first) = palette.paint(&labels(&[1, 1, 2]), &[]);
        let (_, second) = palette.paint(&labels(&[3, 3, 2]), &[]);
        assert_eq!(second[1].colour, first[1].colour);
        assert!(first.iter().all(|entry| entry.colour != second[0].colour));
        // Nine classes later colours come again, but never twice in a map.
        for class in 10..20 {
            let (_, entries) = palette.paint(&labels(&[1, 2, 3, class]), &[]);
            let colours: BTreeSet<[u8; 3]> = entries.iter().map(|entry| entry.colour).collect();
            assert_eq!(colours.len(), 4);
        }
    }

    #[test]
    fn shares_are_neither_nothing_nor_all_where_they_are_not() {
        let shares = [(1, 1000), (999, 1000), (5, 5), (1, 3)].map(|(n, of)| percent(n, of));
        assert_eq!(shares, ["< 1 %", "> 99 %", "100 %", "33 %"]);
    }
}
