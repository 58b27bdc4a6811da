//! Where tiles and entry bundles lie, and how they are encoded (C2SP tlog-tiles).

/// Hashes of a full tile, and entries of a full bundle.
pub const TILE_WIDTH: u64 = 256;
/// The longest entry bundle: 256 entries of the most bytes, each with its length.
pub const BUNDLE_BYTES_MAX: u64 = TILE_WIDTH * (2 + 65_535);

/// The name of the checkpoint.
pub(crate) const CHECKPOINT: &str = "checkpoint";

/// The name of a tile of `width` hashes.
pub(crate) fn tile_path(level: usize, index: u64, width: u64) -> String {
    format!("tile/{level}/{}", indexed(index, width))
}

/// The name of a bundle of `width` entries.
pub(crate) fn bundle_path(index: u64, width: u64) -> String {
    format!("tile/entries/{}", indexed(index, width))
}

fn indexed(index: u64, width: u64) -> String {
    let mut path = format!("{:03}", index % 1000);
    let mut rest = index / 1000;
    while rest > 0 {
        path = format!("x{:03}/{path}", rest % 1000);
        rest /= 1000;
    }
    if width < TILE_WIDTH { format!("{path}.p/{width}") } else { path }
}

/// The width of the tile or bundle `index` in a row of `count`; 0 if it is not there.
pub(crate) fn width_of(index: u64, count: u64) -> u64 {
    count.saturating_sub(index.saturating_mul(TILE_WIDTH)).min(TILE_WIDTH)
}

/// Appends an entry to a bundle's bytes. `entry` is at most 65,535 bytes.
pub(crate) fn append_entry(bundle: &mut Vec<u8>, entry: &[u8]) {
    let length = u16::try_from(entry.len()).unwrap_or(u16::MAX);
    bundle.extend_from_slice(&length.to_be_bytes());
    bundle.extend_from_slice(entry);
}

/// The entries of a bundle; `None` unless it holds exactly `width` and nothing more.
pub(crate) fn parse_bundle(mut bytes: &[u8], width: u64) -> Option<Vec<&[u8]>> {
    let mut entries = Vec::new();
    while !bytes.is_empty() {
        let (length, rest) = bytes.split_first_chunk::<2>()?;
        let (entry, rest) = rest.split_at_checked(usize::from(u16::from_be_bytes(*length)))?;
        entries.push(entry);
        bytes = rest;
    }
    (entries.len() as u64 == width).then_some(entries)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_those_of_the_specification() {
        assert_eq!(tile_path(0, 0, 256), "tile/0/000");
        assert_eq!(tile_path(1, 1_234_067, 256), "tile/1/x001/x234/067");
        assert_eq!(tile_path(0, 273, 17), "tile/0/273.p/17");
        assert_eq!(bundle_path(1000, 1), "tile/entries/x001/000.p/1");
    }

    #[test]
    fn bundles_hold_what_was_appended_and_nothing_else() {
        let mut bundle = Vec::new();
        for entry in [&b"ab"[..], b"", &[7; 65_535]] {
            append_entry(&mut bundle, entry);
        }
        assert_eq!(parse_bundle(&bundle, 3).unwrap()[2].len(), 65_535);
        assert_eq!(parse_bundle(&bundle, 2), None);
        assert_eq!(parse_bundle(&bundle[..bundle.len() - 1], 3), None);
        bundle.push(0);
        assert_eq!(parse_bundle(&bundle, 3), None);
    }
}
