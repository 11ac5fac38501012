//! The registered numbers of filters and their well-known names.

pub(super) const DEFLATE: u16 = 1;
pub(super) const SHUFFLE: u16 = 2;
pub(super) const FLETCHER32: u16 = 3;
pub(super) const SZIP: u16 = 4;
pub(super) const NBIT: u16 = 5;
pub(super) const SCALE_OFFSET: u16 = 6;
pub(super) const BZIP2: u16 = 307;
pub(super) const LZF: u16 = 32000;
pub(super) const BLOSC: u16 = 32001;
pub(super) const LZ4: u16 = 32004;
pub(super) const BITSHUFFLE: u16 = 32008;
pub(super) const ZSTD: u16 = 32015;

/// Numbers and names, as registered with The HDF Group.
const REGISTERED: &[(u16, &str)] = &[
    (DEFLATE, "deflate"),
    (SHUFFLE, "shuffle"),
    (FLETCHER32, "fletcher32"),
    (SZIP, "szip"),
    (NBIT, "nbit"),
    (SCALE_OFFSET, "scaleoffset"),
    (257, "hdf4 rle"),
    (258, "hdf4 nbit"),
    (305, "lzo"),
    (BZIP2, "bzip2"),
    (LZF, "lzf"),
    (BLOSC, "blosc"),
    (32002, "mafisc"),
    (32003, "snappy"),
    (LZ4, "lz4"),
    (32005, "apax"),
    (32006, "cbf"),
    (32007, "jpeg-xr"),
    (BITSHUFFLE, "bitshuffle"),
    (32009, "spdp"),
    (32010, "lpc-rice"),
    (32011, "ccsds-123"),
    (32012, "jpeg-ls"),
    (32013, "zfp"),
    (32014, "fpzip"),
    (ZSTD, "zstd"),
    (32016, "b3d"),
    (32017, "sz"),
    (32018, "fcidecomp"),
    (32019, "jpeg"),
    (32020, "vbz"),
    (32021, "fapec"),
    (32022, "bitgroom"),
    (32023, "granular bitround"),
    (32024, "sz3"),
    (32025, "delta-rice"),
    (32026, "blosc2"),
    (32027, "flac"),
    (32028, "sperr"),
    (32029, "terse/prolix"),
    (32030, "ffmpeg"),
];

/// The well-known name of a filter.
pub(super) fn name_of(id: u16) -> Option<&'static str> {
    REGISTERED.iter().find(|(number, _)| *number == id).map(|(_, name)| *name)
}
