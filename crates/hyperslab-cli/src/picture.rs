//! Pictures without a plotting library: a heat map of numbers, and tiles of a mosaic.

use crate::output::{Failure, Outcome};
use std::fs::OpenOptions;
use std::io::BufWriter;
use std::path::Path;

/// Most pixels along a side.
const LARGEST: u64 = 2048;
/// A picture smaller than this is drawn with larger pixels.
const SMALLEST: u64 = 512;
/// Part of the values that may lie below, and as many above, the colours.
const OUTLIERS: f64 = 0.005;

/// Viridis, at equal distances.
const VIRIDIS: [[u8; 3]; 17] = [
    [68, 1, 84],
    [72, 24, 106],
    [71, 45, 123],
    [66, 64, 134],
    [59, 82, 139],
    [51, 99, 141],
    [44, 114, 142],
    [38, 130, 142],
    [33, 145, 140],
    [31, 160, 136],
    [40, 174, 128],
    [63, 188, 115],
    [94, 201, 98],
    [132, 212, 75],
    [173, 220, 48],
    [216, 226, 25],
    [253, 231, 37],
];
/// Not a number.
const HOLE: [u8; 3] = [120, 120, 120];
/// Nothing is mapped here.
const EMPTY: [u8; 3] = [32, 32, 36];
/// A source that is not there, and the stripes on it.
const MISSING: [[u8; 3]; 2] = [[178, 24, 43], [244, 165, 130]];
/// The line around a tile.
const EDGE: [u8; 3] = [250, 250, 250];

/// Pixels, row by row.
pub(crate) struct Picture {
    width: u64,
    height: u64,
    pixels: Vec<[u8; 3]>,
}

/// A rectangle of a mosaic, in elements.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Tile {
    pub(crate) row: u64,
    pub(crate) column: u64,
    pub(crate) rows: u64,
    pub(crate) columns: u64,
    /// Tiles of one kind have one colour.
    pub(crate) kind: usize,
    pub(crate) missing: bool,
}

impl Picture {
    /// Numbers in colours: dark is little, bright is much; the few most extreme ones do not count.
    pub(crate) fn heat_map(values: &[f64], height: u64, width: u64) -> Outcome<Self> {
        Self::heat_map_of(values, (height, width), Self::size(height, width))
    }

    /// As [`heat_map`](Self::heat_map), of so many rows and columns of pixels.
    pub(crate) fn heat_map_of(
        values: &[f64],
        (height, width): (u64, u64),
        size: (u64, u64),
    ) -> Outcome<Self> {
        let expected = usize::try_from(height.saturating_mul(width)).unwrap_or(usize::MAX);
        if values.is_empty() || values.len() != expected {
            return Err(Failure::message(format!(
                "a picture of {height} by {width} values: {} are there",
                values.len()
            )));
        }
        let (low, high) = scale(values);
        let span = if high > low { high - low } else { 1.0 };
        let at = |row: u64, column: u64| {
            let index = usize::try_from(row * width + column).unwrap_or(usize::MAX);
            values.get(index).copied().unwrap_or(f64::NAN)
        };
        Ok(Self::draw((height, width), size, |rows, columns| {
            let block = rows.flat_map(|row| columns.clone().map(move |column| (row, column)));
            let strongest =
                block.map(|(row, column)| at(row, column)).filter(|value| !value.is_nan()).reduce(f64::max);
            strongest.map_or(HOLE, |value| colour((value - low) / span))
        }))
    }

    /// Tiles in colours of their own, missing ones red and striped; later ones lie on top.
    pub(crate) fn mosaic(tiles: &[Tile], height: u64, width: u64) -> Self {
        let kinds = tiles.iter().map(|tile| tile.kind + 1).max().unwrap_or(1);
        let (height, width) = (height.max(1), width.max(1));
        let mut picture = Self::draw((height, width), Self::size(height, width), |_, _| EMPTY);
        let (down, across) = (Scale::new(height, picture.height), Scale::new(width, picture.width));
        for tile in tiles {
            let (top, bottom) = down.pixels(tile.row, tile.rows);
            let (left, right) = across.pixels(tile.column, tile.columns);
            picture.fill(tile, kinds, [top, bottom, left, right]);
        }
        picture
    }

    fn fill(&mut self, tile: &Tile, kinds: usize, [top, bottom, left, right]: [u64; 4]) {
        let framed = bottom - top > 6 && right - left > 6;
        for y in top..bottom {
            for x in left..right {
                let border = y == top || y + 1 == bottom || x == left || x + 1 == right;
                let pixel = if framed && border {
                    EDGE
                } else if tile.missing {
                    let [plain, stripe] = MISSING;
                    if (x + y) % 16 < 5 { stripe } else { plain }
                } else {
                    shade(tile.kind, kinds)
                };
                if let Some(place) =
                    usize::try_from(y * self.width + x).ok().and_then(|at| self.pixels.get_mut(at))
                {
                    *place = pixel;
                }
            }
        }
    }

    /// Each pixel shows a block of elements, or each element fills a block of pixels.
    fn draw(
        (height, width): (u64, u64),
        (rows, columns): (u64, u64),
        pixel: impl Fn(std::ops::Range<u64>, std::ops::Range<u64>) -> [u8; 3],
    ) -> Self {
        let range = |at: u64, pixels: u64, elements: u64| {
            let start = u128::from(at) * u128::from(elements) / u128::from(pixels);
            let end = (u128::from(at) + 1) * u128::from(elements) / u128::from(pixels);
            let start = u64::try_from(start).unwrap_or(u64::MAX);
            start..u64::try_from(end).unwrap_or(u64::MAX).max(start + 1)
        };
        let pixels = (0..rows)
            .flat_map(|y| (0..columns).map(move |x| (y, x)))
            .map(|(y, x)| pixel(range(y, rows, height), range(x, columns, width)))
            .collect();
        Self { width: columns, height: rows, pixels }
    }

    /// Rows and columns of pixels for so many of elements.
    fn size(height: u64, width: u64) -> (u64, u64) {
        let larger = (SMALLEST / height.max(width)).max(1);
        (fit(height, larger), fit(width, larger))
    }

    /// The rows of pixels, from the top.
    pub(crate) fn rows(&self) -> impl Iterator<Item = &[[u8; 3]]> {
        self.pixels.chunks(usize::try_from(self.width).unwrap_or(usize::MAX).max(1))
    }

    /// Writes the picture as `PNG`.
    pub(crate) fn save(&self, path: &Path) -> Outcome {
        let failed = |error: String| Failure::message(format!("{}: {error}", path.display()));
        let file = OpenOptions::new().write(true).create(true).truncate(true).open(path);
        let file = file.map_err(|error| failed(error.to_string()))?;
        let side = |length: u64| u32::try_from(length).unwrap_or(u32::MAX);
        let mut encoder = png::Encoder::new(BufWriter::new(file), side(self.width), side(self.height));
        encoder.set_color(png::ColorType::Rgb);
        encoder.set_depth(png::BitDepth::Eight);
        let written = encoder.write_header().and_then(|mut writer| {
            writer.write_image_data(&self.pixels.concat())?;
            writer.finish()
        });
        written.map_err(|error| failed(error.to_string()))
    }
}

/// Pixels for that many elements.
fn fit(elements: u64, larger: u64) -> u64 {
    elements.saturating_mul(larger).clamp(1, LARGEST)
}

/// From elements to pixels along one side.
struct Scale {
    elements: u64,
    pixels: u64,
}

impl Scale {
    fn new(elements: u64, pixels: u64) -> Self {
        Self { elements: elements.max(1), pixels }
    }

    /// First pixel, and one past the last, of some elements; at least one pixel.
    fn pixels(&self, start: u64, count: u64) -> (u64, u64) {
        let at = |element: u64| {
            let place = u128::from(element) * u128::from(self.pixels) / u128::from(self.elements);
            u64::try_from(place).unwrap_or(u64::MAX).min(self.pixels)
        };
        let first = at(start).min(self.pixels.saturating_sub(1));
        (first, at(start.saturating_add(count)).max(first + 1))
    }
}

/// The values that get the darkest and the brightest colour.
fn scale(values: &[f64]) -> (f64, f64) {
    let mut finite: Vec<f64> = values.iter().copied().filter(|value| value.is_finite()).collect();
    if finite.is_empty() {
        return (0.0, 1.0);
    }
    let outliers = share(finite.len(), OUTLIERS);
    let top = finite.len() - 1 - outliers;
    let high = *finite.select_nth_unstable_by(top, f64::total_cmp).1;
    let low = *finite.select_nth_unstable_by(outliers, f64::total_cmp).1;
    (low, high)
}

#[expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a small part of a count, rounded down"
)]
fn share(count: usize, part: f64) -> usize {
    ((count - 1) as f64 * part) as usize
}

#[expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "clamped to the colours there are"
)]
fn colour(part: f64) -> [u8; 3] {
    let last = VIRIDIS.len() - 1;
    let place = part.clamp(0.0, 1.0) * last as f64;
    let below = (place as usize).min(last);
    let rest = place - below as f64;
    let pick = |at: usize| VIRIDIS.get(at.min(last)).copied().unwrap_or(HOLE);
    let (from, to) = (pick(below), pick(below + 1));
    let mut mixed = from;
    for ((channel, from), to) in mixed.iter_mut().zip(from).zip(to) {
        *channel = (f64::from(from) + (f64::from(to) - f64::from(from)) * rest).round() as u8;
    }
    mixed
}

/// The colour of a kind of tile: kinds that follow each other differ clearly.
#[expect(clippy::cast_precision_loss, reason = "a few kinds of colour")]
fn shade(kind: usize, kinds: usize) -> [u8; 3] {
    let place =
        if kinds <= 8 { kind as f64 / kinds.max(2) as f64 } else { (kind as f64 * 0.618_034).fract() };
    colour(0.1 + 0.85 * place)
}

#[cfg(test)]
mod tests {
    use super::{EMPTY, HOLE, Picture, Tile, VIRIDIS, colour, scale};

    #[test]
    fn the_ends_of_the_scale_are_the_ends_of_the_colours() {
        assert_eq!(colour(-1.0), VIRIDIS[0]);
        assert_eq!(colour(2.0), VIRIDIS[16]);
        assert_eq!(colour(0.5), VIRIDIS[8]);
    }

    #[test]
    fn one_hot_pixel_does_not_darken_the_rest() {
        let mut values: Vec<f64> = (0..1000).map(f64::from).collect();
        values[500] = 1e30;
        let (low, high) = scale(&values);
        assert!(low < 10.0 && high < 1000.0, "{low} {high}");
    }

    #[test]
    fn a_small_heat_map_has_large_pixels_and_a_hole_where_there_is_no_number() {
        let picture = Picture::heat_map(&[0.0, 1.0, f64::NAN, 2.0], 2, 2).unwrap();
        assert_eq!((picture.width, picture.height), (512, 512));
        assert_eq!(picture.pixels[0], VIRIDIS[0]);
        assert_eq!(picture.pixels[511 * 512], HOLE);
    }

    #[test]
    fn a_large_heat_map_is_made_to_fit() {
        let values = vec![1.0; 4096 * 2];
        let picture = Picture::heat_map(&values, 2, 4096).unwrap();
        assert_eq!((picture.width, picture.height), (2048, 2));
    }

    #[test]
    fn a_tile_that_is_missing_is_striped_and_nothing_is_dark() {
        let tile = |column, missing| Tile { row: 0, column, rows: 10, columns: 10, kind: 0, missing };
        let picture = Picture::mosaic(&[tile(0, false), tile(20, true)], 10, 30);
        let middle = usize::try_from(picture.width * (picture.height / 2)).unwrap();
        assert_eq!(picture.pixels[middle + 250], EMPTY);
        assert_ne!(picture.pixels[middle + 400], EMPTY);
    }

    #[test]
    fn a_picture_is_saved_as_png() {
        let path = tempfile::tempdir().unwrap();
        let path = path.path().join("a.png");
        Picture::heat_map(&[1.0], 1, 1).unwrap().save(&path).unwrap();
        let mut start = [0; 8];
        std::io::Read::read_exact(
            &mut std::fs::OpenOptions::new().read(true).open(&path).unwrap(),
            &mut start,
        )
        .unwrap();
        assert_eq!(&start, b"\x89PNG\r\n\x1a\n");
    }
}
