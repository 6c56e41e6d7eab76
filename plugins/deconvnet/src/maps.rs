//! Which feature maps of a layer are shown.

use convscope_sdk::{AnalysisError, Random};

use crate::layers::Layer;
use crate::mining::LayerStatistics;
use crate::{Choose, Maps, Parameters};

/// Refuses numbers of maps that a layer does not have, before anything is computed.
pub(crate) fn check(layers: &[Layer], maps: &Maps) -> Result<(), AnalysisError> {
    let Maps::Numbers(numbers) = maps else { return Ok(()) };
    let mut sorted = numbers.clone();
    sorted.sort_unstable();
    if let Some([twice, ..]) = sorted.windows(2).find(|pair| pair[0] == pair[1]) {
        return Err(AnalysisError::parameter("maps", format!("{twice} is named twice")));
    }
    for Layer { name, maps: count, .. } in layers {
        if let Some(number) = numbers.iter().find(|number| *number >= count) {
            let problem = format!("{name} has no map {number}; its maps are 0 to {}", count - 1);
            return Err(AnalysisError::parameter("maps", problem));
        }
    }
    Ok(())
}

/// Chooses the maps of a layer; says in words how.
pub(crate) fn choose(
    layer: &LayerStatistics,
    parameters: &Parameters,
    seed: u64,
) -> (Vec<usize>, &'static str) {
    let all = layer.maps.len();
    match (&parameters.maps, parameters.choose) {
        (Maps::Numbers(numbers), _) => (numbers.clone(), "the maps were named"),
        (Maps::Count(count), Choose::Strongest) => {
            let mut order = layer.by_strength();
            order.truncate(*count);
            (order, "the maps are those with the strongest activations")
        }
        (Maps::Count(count), Choose::Random) if *count >= all => {
            ((0..all).collect(), "all maps are shown")
        }
        (Maps::Count(count), Choose::Random) => {
            (Random::new(seed).sample(all, *count), "the maps were drawn by the seed")
        }
    }
}
