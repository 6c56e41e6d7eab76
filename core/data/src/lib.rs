//! Pictures, preprocessing, labels and model cards.
