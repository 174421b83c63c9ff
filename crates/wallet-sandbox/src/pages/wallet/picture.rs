//! Reads the QR code of an uploaded picture. A hostile picture could burn time and memory: the reader limits its size
//! and the number of places that look like a corner of a code, since it tries all corners against one another.

use std::io::Cursor;

use image::imageops::{FilterType, resize};

/// The most pixels a side of a picture.
const WIDEST: u32 = 3_000;
/// The most pixels a side of the searched picture: a code stays readable, and the time is bounded.
const LOOKED_INTO: u32 = 1_000;
/// The most bytes of memory that decoding a picture takes.
const LARGEST: u64 = 64 * 1024 * 1024;
/// The most places that may look like a corner. A code has three; a large code shows some hundreds by accident, which
/// the reader mostly passes over.
const CORNERS: usize = 500;

type Prepared = rqrr::PreparedImage<image::GrayImage>;

/// How many places look like a corner of a code: dark, light, dark, light, dark in the proportions 1:1:3:1:1, row by row.
/// Adjacent rows of one corner count once.
fn corners(picture: &Prepared) -> usize {
    let (mut found, mut above) = (0, Vec::<(usize, usize)>::new());
    for y in 0..picture.height() {
        let mut here = Vec::new();
        let (mut runs, mut length) = ([0_usize; 5], 1);
        for x in 1..=picture.width() {
            if x < picture.width() && picture.get_pixel_at(x, y) == picture.get_pixel_at(x - 1, y) {
                length += 1;
                continue;
            }
            runs.rotate_left(1);
            (runs[4], length) = (length, 1);
            let module = (runs[0] + runs[1] + runs[3] + runs[4]) / 4;
            let error = module * 3 / 4;
            let fits = |(run, modules): (&usize, usize)| run.abs_diff(modules * module) <= error;
            if runs[0] > 0 && runs.iter().zip([1, 1, 3, 1, 1]).all(fits) {
                here.push((x - runs.iter().sum::<usize>(), x));
            }
        }
        let goes_on = |(from, to): &(usize, usize)| above.iter().any(|(a, b)| from < b && a < to);
        found += here.iter().filter(|run| !goes_on(run)).count();
        above = here;
    }
    found
}

/// The picture, prepared for the search; `None` when it is unreadable or too large.
fn prepared(picture: &[u8]) -> Option<Prepared> {
    let mut reader = image::ImageReader::new(Cursor::new(picture)).with_guessed_format().ok()?;
    let mut limits = image::Limits::default();
    (limits.max_image_width, limits.max_image_height) = (Some(WIDEST), Some(WIDEST));
    limits.max_alloc = Some(LARGEST);
    reader.limits(limits);
    let grey = reader.decode().ok()?.into_luma8();
    let longest = grey.width().max(grey.height());
    if longest <= LOOKED_INTO {
        return Some(Prepared::prepare(grey));
    }
    let side = |side: u32| (side * LOOKED_INTO / longest).max(1);
    let (width, height) = (side(grey.width()), side(grey.height()));
    Some(Prepared::prepare(resize(&grey, width, height, FilterType::Triangle)))
}

/// The text of the code; `None` when no code is found.
pub(super) fn read(picture: &[u8]) -> Option<String> {
    let mut prepared = prepared(picture)?;
    if corners(&prepared) > CORNERS {
        return None;
    }
    prepared.detect_grids().iter().find_map(|grid| grid.decode().ok()).map(|(_, text)| text)
}

#[cfg(test)]
mod tests {
    use image::{GrayImage, ImageFormat, Luma};
    use wallet_client::QrCode;

    use super::*;

    fn png(picture: &GrayImage) -> Vec<u8> {
        let mut out = Cursor::new(Vec::new());
        picture.write_to(&mut out, ImageFormat::Png).unwrap();
        out.into_inner()
    }

    #[test]
    fn every_size_of_code_is_read() {
        for length in [10, 100, 400, 900, 1_500] {
            let text: String = "vaspay://{\"x\":\"0aZ+/回".chars().cycle().take(length).collect();
            for module in [3, 5, 9, 16] {
                let code = QrCode::new(&text).unwrap().to_png(module);
                assert_eq!(read(&code).as_deref(), Some(&*text), "{length} {module}");
            }
        }
    }

    /// A reader tries every corner against every other: nine hundred of them keep it busy for a quarter of a minute.
    #[test]
    fn a_picture_full_of_corners_is_not_looked_into() {
        for (side, module) in [(540, 2), (1_080, 2), (2_700, 1)] {
            let pitch = 9 * module;
            let corner = |at: u32| {
                let at = at % pitch / module;
                (at, (1..=7).contains(&at), (2..=6).contains(&at), (3..=5).contains(&at))
            };
            let picture = GrayImage::from_fn(side, side, |x, y| {
                let ((_, ax, bx, cx), (_, ay, by, cy)) = (corner(x), corner(y));
                Luma([if ax && ay && (!(bx && by) || cx && cy) { 0 } else { 255 }])
            });
            assert!(corners(&Prepared::prepare(picture.clone())) > 800);
            assert_eq!(read(&png(&picture)), None);
        }
    }

    /// The time grows with the pixels and the corners: both are limited.
    #[test]
    fn a_large_picture_is_made_smaller_before_it_is_looked_into() {
        for (width, height, looked) in
            [(3_000, 3_000, (1_000, 1_000)), (3_000, 2, (1_000, 1)), (900, 3, (900, 3))]
        {
            let prepared = prepared(&png(&GrayImage::new(width, height))).unwrap();
            assert_eq!((prepared.width(), prepared.height()), looked);
        }
        assert!(prepared(&png(&GrayImage::new(3_001, 1))).is_none());
    }
}
