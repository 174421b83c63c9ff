//! Reads the QR code of an uploaded picture: a photo, a screenshot, the file of a generator. The reader looks at it as it is, inverted,
//! levelled, straightened, larger and smaller. A hostile picture could burn time and memory: its size is limited, and so are the places
//! that look like a corner of a code, since the reader compares them with one another.

use std::borrow::Cow;
use std::io::Cursor;

use image::imageops::{FilterType, fast_blur, resize};
use image::{GrayImage, Luma};
use rxing::common::{BitMatrix, DetectorRXingResult as _, HybridBinarizer};
use rxing::qrcode::cpp_port::decoder::Decode;
use rxing::qrcode::cpp_port::detector::{FindFinderPatterns, GenerateFinderPatternSets, SampleQR};
use rxing::{BarcodeFormat, BinaryBitmap, Luma8Source, RXingResult};

/// The most pixels a side of a picture.
const WIDEST: u32 = 8_192;
/// The most pixels a side of the searched picture: a code stays readable, and the time is bounded.
const LOOKED_INTO: u32 = 1_000;
/// The most bytes of memory that decoding a picture takes.
const LARGEST: u64 = 64 * 1024 * 1024;
/// The most places that may look like a corner of a code. A code has three; a page of text shows some by accident.
const CORNERS: usize = 200;
/// The most rows of pixels that may look like one through a corner.
const ROWS: usize = 10_000;
/// The most places in a picture where the reader tries to read a code.
const PLACES: usize = 24;

/// The picture in grey; `None` when it is unreadable or too large. What is transparent is white, as paper is; behind a picture that is
/// light all over it is black, since such a picture shows on a dark page only.
fn grey(picture: &[u8]) -> Option<GrayImage> {
    let mut reader = image::ImageReader::new(Cursor::new(picture)).with_guessed_format().ok()?;
    let mut limits = image::Limits::default();
    (limits.max_image_width, limits.max_image_height) = (Some(WIDEST), Some(WIDEST));
    limits.max_alloc = Some(LARGEST);
    reader.limits(limits);
    let picture = reader.decode().ok()?;
    if !picture.color().has_alpha() {
        return Some(picture.into_luma8());
    }
    let picture = picture.into_luma_alpha8();
    let (mut opaque, mut dark) = (0, 0);
    for [grey, alpha] in picture.pixels().map(|pixel| pixel.0) {
        opaque += u64::from(alpha);
        dark += if grey < 128 { u64::from(alpha) } else { 0 };
    }
    let behind = if dark < opaque / 8 { 0 } else { 255 };
    Some(GrayImage::from_fn(picture.width(), picture.height(), |x, y| {
        let [grey, alpha] = picture.get_pixel(x, y).0.map(u32::from);
        Luma([u8::try_from((grey * alpha + behind * (255 - alpha)) / 255).unwrap_or(u8::MAX)])
    }))
}

/// The picture so that its longer side has at most this many pixels.
fn fit(picture: &GrayImage, side: u32) -> Cow<'_, GrayImage> {
    let longest = picture.width().max(picture.height());
    if longest <= side {
        return Cow::Borrowed(picture);
    }
    let scaled = |length: u32| (length * side / longest).max(1);
    Cow::Owned(resize(picture, scaled(picture.width()), scaled(picture.height()), FilterType::Triangle))
}

/// Dark and light exchanged.
fn inverted(picture: &GrayImage) -> GrayImage {
    let mut picture = picture.clone();
    image::imageops::invert(&mut picture);
    picture
}

/// Black where the picture is darker than its surroundings, else white: whatever its contrast, and however the light changes across it.
fn levelled(picture: &GrayImage) -> GrayImage {
    let around = fast_blur(picture, (picture.width().max(picture.height()) as f32 / 40.0).max(2.0));
    GrayImage::from_fn(picture.width(), picture.height(), |x, y| {
        let is_dark = picture.get_pixel(x, y).0[0].saturating_add(4) < around.get_pixel(x, y).0[0];
        Luma([if is_dark { 0 } else { 255 }])
    })
}

/// The picture turned so that most edges are upright or level: the reader loses the grid of a large code that is turned. `None` if they
/// are already.
fn straightened(picture: &GrayImage) -> Option<GrayImage> {
    let smooth = fast_blur(picture, 1.0);
    let at = |x: u32, y: u32| f32::from(smooth.get_pixel(x, y).0[0]);
    // The directions of the edges, times four: the sides of a square have the same one then.
    let (mut sum_x, mut sum_y) = (0.0, 0.0);
    for (y, x) in (1..picture.height().saturating_sub(1))
        .flat_map(|y| (1..picture.width().saturating_sub(1)).map(move |x| (y, x)))
    {
        let (dx, dy) = (at(x + 1, y) - at(x - 1, y), at(x, y + 1) - at(x, y - 1));
        let (strength, direction) = (dx.hypot(dy), 4.0 * dy.atan2(dx));
        sum_x += strength * direction.cos();
        sum_y += strength * direction.sin();
    }
    let angle = sum_y.atan2(sum_x) / 4.0;
    if angle.abs() < 0.01 {
        return None;
    }
    let (sin, cos) = angle.sin_cos();
    let (width, height) = (picture.width() as f32, picture.height() as f32);
    let (wide, high) = (width * cos.abs() + height * sin.abs(), width * sin.abs() + height * cos.abs());
    let pixel = |x: f32, y: f32| {
        let inside = x >= 0.0 && y >= 0.0 && x < width && y < height;
        if inside { f32::from(picture.get_pixel(x as u32, y as u32).0[0]) } else { 255.0 }
    };
    Some(GrayImage::from_fn(wide as u32, high as u32, |x, y| {
        let (x, y) = (x as f32 - wide / 2.0, y as f32 - high / 2.0);
        let (x, y) = (width / 2.0 + cos * x - sin * y, height / 2.0 + sin * x + cos * y);
        let (left, top) = (x.floor(), y.floor());
        let row = |y: f32| pixel(left, y) * (1.0 - x + left) + pixel(left + 1.0, y) * (x - left);
        Luma([(row(top) * (1.0 - y + top) + row(top + 1.0) * (y - top)) as u8])
    }))
}

/// How many runs of pixels look like a row through the corner of a code: dark, light, dark, light, dark in the proportions 1:1:3:1:1.
fn rows_of_corners(bits: &BitMatrix) -> usize {
    let mut found = 0;
    for y in (0..bits.height()).step_by(3) {
        let (mut runs, mut length) = ([0_u32; 5], 1);
        for x in 1..=bits.width() {
            if x < bits.width() && bits.get(x, y) == bits.get(x - 1, y) {
                length += 1;
                continue;
            }
            runs.rotate_left(1);
            (runs[4], length) = (length, 1);
            let module = (runs[0] + runs[1] + runs[3] + runs[4]) / 4;
            let fits = |(run, modules): (&u32, u32)| run.abs_diff(modules * module) <= module * 3 / 4;
            found += usize::from(runs[0] > 0 && runs.iter().zip([1, 1, 3, 1, 1]).all(fits));
        }
    }
    found
}

/// The text of the code in a picture, if it is found.
fn look(picture: &GrayImage) -> Option<String> {
    let source = Luma8Source::new_with_slice(picture.as_raw(), picture.width(), picture.height()).ok()?;
    let bits = BinaryBitmap::new(HybridBinarizer::new(source));
    let bits = bits.get_black_matrix();
    if rows_of_corners(bits) > ROWS {
        return None; // the reader compares each with all others
    }
    let mut corners = FindFinderPatterns(bits, true, 0);
    if corners.len() > CORNERS {
        return None;
    }
    GenerateFinderPatternSets(&mut corners).into_iter().take(PLACES).find_map(|place| {
        let found = Decode(SampleQR(bits, &place).ok()?.getBits()).ok()?;
        found.isValid().then(|| {
            RXingResult::with_decoder_result(found, &[], BarcodeFormat::QR_CODE).getText().to_owned()
        })
    })
}

/// The text of the code; `None` when no code is found.
pub(super) fn read(picture: &[u8]) -> Option<String> {
    let whole = grey(picture)?;
    // In this order: what most pictures need, what is quick, and what a small code in a large picture needs.
    let usual = fit(&whole, LOOKED_INTO);
    let longest = whole.width().max(whole.height());
    look(&usual)
        .or_else(|| look(&inverted(&usual)))
        .or_else(|| look(&levelled(&usual)))
        .or_else(|| look(&straightened(&usual)?))
        .or_else(|| (longest > LOOKED_INTO).then(|| look(&fit(&whole, 2 * LOOKED_INTO)))?)
        .or_else(|| (longest > 2 * LOOKED_INTO).then(|| look(&fit(&whole, 3 * LOOKED_INTO)))?)
        .or_else(|| look(&fit(&usual, usual.width().max(usual.height()) / 2)))
        .or_else(|| look(&fast_blur(&usual, 2.5)))
}

#[cfg(test)]
mod tests;
