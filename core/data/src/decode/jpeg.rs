//! Whether a JPEG file is whole.

/// Finds the end marker of a JPEG file.
///
/// The decoder fills what a truncated file lacks with grey, as browsers do; a network must not
/// see that. A thumbnail inside a metadata segment has an end marker too, so segments are stepped
/// over by their lengths; what follows the end marker does not matter.
pub(super) fn is_whole(bytes: &[u8]) -> bool {
    let mut rest = bytes;
    while let Some(start) = rest.iter().position(|&byte| byte == 0xff) {
        let Some((&marker, behind)) = rest[start + 1..].split_first() else { return false };
        rest = match marker {
            0xd9 => return true,
            // Any number of 0xff may stand before a marker.
            0xff => &rest[start + 1..],
            // A stuffed 0xff of the coded data, and the markers without a length.
            0x00 | 0x01 | 0xd0..=0xd8 => behind,
            _ => match behind {
                [high, low, ..] => {
                    let length = usize::from(u16::from_be_bytes([*high, *low])).max(2);
                    behind.get(length..).unwrap_or_default()
                }
                _ => return false,
            },
        };
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: [u8; 2] = [0xff, 0xd8];
    const THUMBNAIL: [u8; 6] = [0xff, 0xe1, 0, 4, 0xff, 0xd9];
    const DATA: [u8; 8] = [0xff, 0xda, 0, 2, 1, 0xff, 0x00, 2];

    #[test]
    fn the_end_of_a_thumbnail_is_not_the_end() {
        let file = [&START[..], &THUMBNAIL, &DATA].concat();
        assert!(!is_whole(&file));
        assert!(is_whole(&[&file[..], &[0xff, 0xff, 0xd9], b"trailer"].concat()));
    }

    #[test]
    fn a_file_that_ends_anywhere_before_its_end_marker_is_not_whole() {
        let file = [&START[..], &THUMBNAIL, &DATA, &[0xff, 0xd9]].concat();
        for length in 0..file.len() {
            assert!(!is_whole(&file[..length]), "{length}");
        }
    }
}
