//! The types of integers that a file may store. All are computed with 64 bits: what their own width
//! would not hold is refused, never kept.

use crate::proto::data_type;

/// A type of integers; conditions count as 0 and 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum IntegerType {
    Bool,
    Int8,
    Int16,
    Int32,
    Int64,
    Uint8,
    Uint16,
    Uint32,
    /// Up to the largest number that a signed one of 64 bits holds.
    Uint64,
}

impl IntegerType {
    /// Returns the type that ONNX gives a number, if it is one of integers.
    pub(crate) fn of(number: i32) -> Option<Self> {
        Some(match number {
            data_type::BOOL => Self::Bool,
            data_type::INT8 => Self::Int8,
            data_type::INT16 => Self::Int16,
            data_type::INT32 => Self::Int32,
            data_type::INT64 => Self::Int64,
            data_type::UINT8 => Self::Uint8,
            data_type::UINT16 => Self::Uint16,
            data_type::UINT32 => Self::Uint32,
            data_type::UINT64 => Self::Uint64,
            _ => return None,
        })
    }

    /// Returns its name in ONNX.
    pub(crate) fn name(self) -> String {
        data_type::name(match self {
            Self::Bool => data_type::BOOL,
            Self::Int8 => data_type::INT8,
            Self::Int16 => data_type::INT16,
            Self::Int32 => data_type::INT32,
            Self::Int64 => data_type::INT64,
            Self::Uint8 => data_type::UINT8,
            Self::Uint16 => data_type::UINT16,
            Self::Uint32 => data_type::UINT32,
            Self::Uint64 => data_type::UINT64,
        })
    }

    /// Says whether a number is one of the type.
    pub(crate) fn holds(self, value: i64) -> bool {
        match self {
            Self::Bool => (0..=1).contains(&value),
            Self::Int8 => i8::try_from(value).is_ok(),
            Self::Int16 => i16::try_from(value).is_ok(),
            Self::Int32 => i32::try_from(value).is_ok(),
            Self::Int64 => true,
            Self::Uint8 => u8::try_from(value).is_ok(),
            Self::Uint16 => u16::try_from(value).is_ok(),
            Self::Uint32 => u32::try_from(value).is_ok(),
            Self::Uint64 => value >= 0,
        }
    }

    /// Casts an integer: the higher bits are lost, and of a condition it matters whether it is 0.
    /// Nothing where 64 signed bits do not hold what becomes of it.
    pub(crate) fn cast(self, value: i64) -> Option<i64> {
        Some(match self {
            Self::Bool => (value != 0).into(),
            Self::Int8 => (value as i8).into(),
            Self::Int16 => (value as i16).into(),
            Self::Int32 => (value as i32).into(),
            Self::Int64 => value,
            Self::Uint8 => (value as u8).into(),
            Self::Uint16 => (value as u16).into(),
            Self::Uint32 => (value as u32).into(),
            Self::Uint64 => return (value >= 0).then_some(value),
        })
    }

    /// Casts a real number, which is rounded towards zero; nothing where the type does not hold it,
    /// for which ONNX names no result.
    pub(crate) fn cast_real(self, value: f32) -> Option<i64> {
        if self == Self::Bool {
            return Some((value != 0.0).into());
        }
        // Both powers of two are exact in single precision.
        let end = -(i64::MIN as f32);
        let whole = (-end..end).contains(&value).then_some(value as i64)?;
        self.holds(whole).then_some(whole)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: [IntegerType; 9] = [
        IntegerType::Bool,
        IntegerType::Int8,
        IntegerType::Int16,
        IntegerType::Int32,
        IntegerType::Int64,
        IntegerType::Uint8,
        IntegerType::Uint16,
        IntegerType::Uint32,
        IntegerType::Uint64,
    ];

    #[test]
    fn every_type_is_found_by_its_number_and_holds_what_it_casts_to() {
        let found: Vec<IntegerType> = (0..30).filter_map(IntegerType::of).collect();
        assert_eq!(found.len(), ALL.len());
        for kind in ALL {
            assert!(found.contains(&kind));
            for value in [i64::MIN, -40_000, -129, -1, 0, 1, 200, 70_000, 1 << 31, i64::MAX] {
                let cast = kind.cast(value);
                assert!(cast.is_none_or(|cast| kind.holds(cast)), "{value} as {}", kind.name());
                assert!(!kind.holds(value) || cast == Some(value), "{value} as {}", kind.name());
            }
        }
        assert_eq!(IntegerType::of(data_type::FLOAT), None);
    }

    /// By the specification of Cast: 200 as INT8 is −56, and whatever is not 0 is true.
    #[test]
    fn casts_of_integers_lose_the_higher_bits() {
        assert_eq!(IntegerType::Int8.cast(200), Some(-56));
        assert_eq!(IntegerType::Uint8.cast(-1), Some(255));
        assert_eq!(IntegerType::Uint16.cast(65_537), Some(1));
        assert_eq!(IntegerType::Bool.cast(256), Some(1));
        assert_eq!(IntegerType::Uint64.cast(-1), None);
    }

    #[test]
    fn casts_of_real_numbers_round_towards_zero_and_stay_in_range() {
        assert_eq!(IntegerType::Int64.cast_real(-2.9), Some(-2));
        assert_eq!(IntegerType::Uint8.cast_real(255.9), Some(255));
        assert_eq!(IntegerType::Uint8.cast_real(-0.5), Some(0));
        assert_eq!(IntegerType::Bool.cast_real(f32::NAN), Some(1));
        assert_eq!(IntegerType::Bool.cast_real(-0.0), Some(0));
        assert_eq!(IntegerType::Int64.cast_real(-9.223_372e18), Some(i64::MIN));
        for (kind, value) in [
            (IntegerType::Uint8, 256.0),
            (IntegerType::Uint8, -1.0),
            (IntegerType::Int64, f32::NAN),
            (IntegerType::Int64, f32::INFINITY),
            (IntegerType::Int64, 9.223_372e18),
        ] {
            assert_eq!(kind.cast_real(value), None, "{value} as {}", kind.name());
        }
    }
}
