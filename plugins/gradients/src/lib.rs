//! The gradient family: what in a picture raises or lowers a class score or a unit.
//!
//! `saliency`, `guided_backprop` and `deconvolution` differ only in what a rectifier does to the
//! signal on its way back; see [`convscope_sdk::Method`].

mod explained;
mod figure;
mod parameters;

pub use parameters::Parameters;

use convscope_sdk::protocol::array::ArrayMeta;
use convscope_sdk::protocol::table::Column;
use convscope_sdk::protocol::{Array, Axis, Cell, Table};
use convscope_sdk::{
    Amplitude, Analysis, AnalysisError, Host, Images, Method, Normalization, Overlap,
    export_plugin, input_channels, picture_array,
};
use ndarray::{Array4, Axis as Dimension};

use crate::explained::Explained;
use crate::figure::Setting;

/// Share of the progress at which everything was carried back; the rest is reading pictures.
const CARRIED_BACK: f64 = 0.9;

/// What tells the analyses of the family apart.
struct Kind {
    /// What happens at rectifiers.
    method: Method,
    /// Its name for people.
    name: &'static str,
    /// How its figure is read.
    how_to_read: &'static str,
}

/// Carries a signal back for every picture and emits `attribution` and its figure.
fn run(host: &Host<'_>, kind: &Kind, parameters: &Parameters) -> Result<(), AnalysisError> {
    let model = host.model()?;
    let images = host.images("images")?;
    if images.is_empty() {
        return Err(AnalysisError::parameter("images", "there are no pictures"));
    }
    host.progress(0.0, "looking at the pictures")?;
    let explained = explained::explained(&model, &images, parameters)?;
    let attribution = attribute(host, kind.method, &images, &explained, parameters)?;
    let names = images.names()?;
    let pictures = picture_array(&images, &names, |image| {
        let fraction = CARRIED_BACK + (1.0 - CARRIED_BACK) * image as f64 / images.len() as f64;
        host.progress(fraction, "reading the pictures")
    })?;
    let setting = Setting {
        kind,
        names: &names,
        explained: &explained,
        options: &options_in_words(parameters),
        has_pictures: pictures.is_some(),
    };
    if let Some(pictures) = pictures {
        host.emit_array(pictures)?;
    }
    let figure = figure::figure(&attribution, &setting);
    let is_drawable = matches!(attribution.len_of(Dimension(1)), 1 | 3);
    let axes = vec![
        Axis::labelled("image", names.clone()),
        input_channels(model.description()),
        Axis::named("row"),
        Axis::named("column"),
    ];
    let doc = "What was carried back to the network's input, in its units and channel order.";
    host.emit_array(Array {
        name: "attribution".to_owned(),
        meta: ArrayMeta { axes, unit: String::new(), doc: doc.to_owned() },
        values: attribution.into_dyn().into(),
    })?;
    host.emit_table(&table(&names, &explained))?;
    if is_drawable {
        host.emit_figure(&figure)?;
    } else {
        host.note("No figure is drawn: the model's input has neither one nor three channels.")?;
    }
    host.progress(1.0, "done")
}

/// Carries the signals back: `[image, channel, height, width]`.
fn attribute(
    host: &Host<'_>,
    method: Method,
    images: &Images<'_>,
    explained: &[Explained],
    parameters: &Parameters,
) -> Result<Array4<f32>, AnalysisError> {
    let starts: Vec<_> = explained.iter().map(|explained| explained.start.clone()).collect();
    let composite = method.composite(parameters.overlap, parameters.lrn);
    let count = images.len();
    let mut attribution = Array4::zeros([0; 4]);
    host.model()?.attribute(images, &starts, &composite, &[], |batch| {
        let signals = batch.values(0)?.into_dimensionality::<ndarray::Ix4>()?;
        if attribution.is_empty() {
            let (_, channels, height, width) = signals.dim();
            attribution = Array4::zeros([count, channels, height, width]);
        }
        for (signal, image) in signals.outer_iter().zip(batch.range()) {
            attribution.index_axis_mut(Dimension(0), image).assign(&signal);
        }
        let done = batch.range().end;
        let fraction = CARRIED_BACK * done as f64 / count as f64;
        host.progress(fraction, &format!("carried back {done} of {count}"))
    })?;
    Ok(attribution)
}

/// Says what is explained in each picture.
fn table(names: &[String], explained: &[Explained]) -> Table {
    let column = |name: &str| Column { name: name.to_owned(), unit: String::new(), decimals: None };
    let row = |(name, explained): (&String, &Explained)| {
        vec![Cell::Text(name.clone()), Cell::Text(explained.words.clone())]
    };
    Table {
        name: "explained".to_owned(),
        caption: "What is explained in each picture.".to_owned(),
        columns: vec![column("picture"), column("explained")],
        rows: names.iter().zip(explained).map(row).collect(),
    }
}

fn options_in_words(parameters: &Parameters) -> String {
    let start = match parameters.start {
        Amplitude::Activation => "its activation",
        Amplitude::One => "1",
    };
    let overlap = match parameters.overlap {
        Overlap::Sum => "signals add up",
        Overlap::Overwrite => "the last one wins",
    };
    let lrn = match parameters.lrn {
        Normalization::Exact => "",
        Normalization::Skip => "; response normalizations are not inverted",
    };
    format!(
        "The signal starts from one unit that holds {start}; where pooling windows overlap, \
         {overlap}{lrn}."
    )
}

/// What the documentation of all three analyses says about their results.
macro_rules! documented {
    ($first:literal) => {
        concat!(
            $first,
            "\n\nArray: `attribution` [image, channel, height, width], in units and channel order \
             of the network's input; `picture`, where there are pictures. Table: `explained`. One \
             figure."
        )
    };
}

/// Defines an analysis of the family.
macro_rules! analysis {
    ($type:ident, $id:literal, $kind:expr, $reference:literal, $doc:literal) => {
        #[doc = concat!("The analysis `", $id, "`.")]
        #[derive(Clone, Copy, Debug)]
        pub struct $type;

        impl Analysis for $type {
            const ID: &'static str = $id;
            const NAME: &'static str = $kind.name;
            const DOC: &'static str = documented!($doc);
            const REFERENCE: &'static str = $reference;
            const CATEGORY: &'static str = "attribution";
            const DETERMINISTIC: bool = true;
            const NEEDS_BACKWARD: bool = true;
            type Parameters = Parameters;

            fn run(&self, host: &Host<'_>, parameters: Parameters) -> Result<(), AnalysisError> {
                run(host, &$kind, &parameters)
            }
        }
    };
}

analysis!(
    Saliency,
    "saliency",
    Kind {
        method: Method::Gradient,
        name: "Saliency",
        how_to_read: "Brighter than grey: more of that colour there raises the unit's value; \
                      darker: it lowers it; grey: no influence.",
    },
    "Simonyan, Vedaldi & Zisserman, Deep Inside Convolutional Networks (2013), section 3",
    "Computes the signed gradient of a class score, or of a unit, with respect to the picture."
);

analysis!(
    GuidedBackprop,
    "guided_backprop",
    Kind {
        method: Method::Guided,
        name: "Guided backpropagation",
        how_to_read: "Brighter than grey: more of that colour there raises the unit's value, darker: \
                      less of it does, along paths whose signals are all positive; grey: no such \
                      path.",
    },
    "Springenberg et al., Striving for Simplicity (2014), section 3.4",
    "Carries the score of a class, or a unit, back like the gradient, but rectifies the signal at \
     every rectifier: only what raises the unit through positive signals remains."
);

analysis!(
    Deconvolution,
    "deconvolution",
    Kind {
        method: Method::Deconvnet,
        name: "Deconvolution",
        how_to_read: "What stands out from grey is what the unit found in the picture there: brighter \
                      where it looks for more of that colour, darker for less.",
    },
    "Zeiler & Fergus, Visualizing and Understanding Convolutional Networks (2013), section 2.1",
    "Carries the score of a class, or a unit, back through a deconvnet: unpooling by the picture's \
     switches, rectifying the signal whatever the layer's input was, filtering with the transposed \
     filters."
);

export_plugin! {
    id: "org.convscope.gradients",
    name: "Gradients",
    analyses: [Deconvolution, GuidedBackprop, Saliency],
}
