//! `demo`: a small detector run of four modules, one of them lost, made, composed, read and drawn.

use crate::output::{Outcome, Output};
use crate::show::draw;
use crate::slice::Slice;
use crate::vds_build::{Input, Mosaic, grid};
use crate::vds_ls::picture;
use hyperslab::{ByteOrder, Datatype, File};
use ndarray::Array3;
use std::fs;
use std::path::{Path, PathBuf};

const FRAMES: u64 = 16;
const HEIGHT: u64 = 96;
const WIDTH: u64 = 128;
const GAP: (u64, u64) = (12, 8);
const MODULES: u64 = 4;
/// The module whose file is not there.
const LOST: u64 = 2;
/// What elements read as that no module has.
const FILL: u16 = u16::MAX;

/// Makes a small detector run, composes it, reads it, and draws it.
#[derive(clap::Args, Debug)]
pub(crate) struct Arguments {
    /// Where the files go; `hyperslab-demo` in the directory for temporary files if not given.
    directory: Option<PathBuf>,
}

pub(crate) fn run(arguments: &Arguments, output: &mut Output) -> Outcome {
    let directory =
        arguments.directory.clone().unwrap_or_else(|| std::env::temp_dir().join("hyperslab-demo"));
    fs::create_dir_all(&directory)?;
    output.line("A detector of four modules wrote a run; the file of module 2 is lost.\n")?;
    for module in (0..MODULES).filter(|module| *module != LOST) {
        make_module(&directory, module)?;
    }
    let lost = directory.join(name(LOST));
    if lost.exists() {
        fs::remove_file(&lost)?;
    }
    output.line(format!("  made      {}", directory.join("module_{0,1,3}.h5").display()))?;

    let run = directory.join("run.h5");
    compose(&directory, &run)?;
    let data = File::open(&run)?.dataset("/entry/data")?;
    output.line(format!(
        "  composed  {}/entry/data {:?} {}",
        run.display(),
        data.shape(),
        data.datatype()
    ))?;

    let frames = data.read::<u16>()?;
    let seen = frames.iter().filter(|value| **value != FILL);
    let (pixels, sum) = seen.fold((0_u64, 0_u64), |(count, sum), value| (count + 1, sum + u64::from(*value)));
    output.line(format!("  read      {} elements, {pixels} from modules, {sum} photons", frames.len()))?;

    let gaps = data.gaps(&hyperslab::Selection::All)?;
    output.line(format!("  gaps      {} elements have no source and read as {FILL}", gaps.elements))?;
    for status in &gaps.mappings {
        if let Some(problem) = &status.problem {
            output.line(format!("            mapping {}, {}: {problem}", status.mapping, status.file))?;
        }
    }

    let (heat, mosaic) = (directory.join("frame_8.png"), directory.join("mappings.png"));
    draw(&data, &Slice::parse("8", &data.shape())?)?.save(&heat)?;
    picture(&data)?.save(&mosaic)?;
    output.line(format!("  drew      {}\n            {}", heat.display(), mosaic.display()))?;
    output.line("\nLook yourself:")?;
    for verb in ["ls -r", "show --slice 8,40:48,100:110", "vds ls", "vds check"] {
        let path = if verb.starts_with("show") || verb == "vds ls" { "/entry/data" } else { "" };
        output.line(format!("  hyperslab {verb} {}{path}", run.display()))?;
    }
    Ok(())
}

fn name(module: u64) -> String {
    format!("module_{module}.h5")
}

fn datatype() -> Datatype {
    Datatype::integer(2, false, ByteOrder::Little)
}

fn make_module(directory: &Path, module: u64) -> Outcome {
    let (down, across) = (module / 2 * (HEIGHT + GAP.0), module % 2 * (WIDTH + GAP.1));
    let shape = [FRAMES, HEIGHT, WIDTH].map(|length| usize::try_from(length).unwrap_or(0));
    let frames = Array3::from_shape_fn(shape, |(frame, row, column)| {
        photons(frame as u64, row as u64 + down, column as u64 + across)
    });
    let file = File::create(directory.join(name(module)))?;
    let data = file
        .new_dataset_of(&datatype())
        .shape([FRAMES, HEIGHT, WIDTH])
        .max_shape([None, Some(HEIGHT), Some(WIDTH)])
        .chunk([1, HEIGHT, WIDTH])
        .shuffle()
        .deflate(4)
        .create("/entry/data")?;
    data.set_attribute("units", "photons")?;
    data.write(&frames)?;
    drop(data);
    Ok(file.close()?)
}

fn compose(directory: &Path, run: &Path) -> Outcome {
    let input = |module: u64| Input {
        file: directory.join(name(module)),
        path: "/entry/data".to_owned(),
        shape: vec![FRAMES, HEIGHT, WIDTH],
        datatype: datatype(),
        exists: module != LOST,
    };
    let inputs: Vec<Input> = (0..MODULES).map(input).collect();
    let layout = grid(run, &inputs, Mosaic { rows: 2, columns: 2, gap: GAP })?;
    let file = File::create(run)?;
    let data = file.new_dataset_of(&datatype()).virtual_layout(layout).fill_value(FILL);
    data.create("/entry/data")?.set_attribute("units", "photons")?;
    Ok(file.close()?)
}

/// Rings around the middle that widen from frame to frame, with some noise.
#[expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "small numbers of a made-up picture"
)]
fn photons(frame: u64, row: u64, column: u64) -> u16 {
    let (middle, center) = ((2 * HEIGHT + GAP.0) as f64 / 2.0, (2 * WIDTH + GAP.1) as f64 / 2.0);
    let radius = (row as f64 - middle).hypot(column as f64 - center);
    let widened = radius - frame as f64 * 1.5;
    let rings = (widened / 9.0).cos().max(0.0).powi(6) * (-radius / 90.0).exp();
    let direct = (-radius * radius / 60.0).exp();
    let mut noise = frame.wrapping_mul(0x9e37_79b9).wrapping_add(row << 20).wrapping_add(column);
    noise = (noise ^ (noise >> 15)).wrapping_mul(0x2c1b_3c6d);
    noise = (noise ^ (noise >> 12)).wrapping_mul(0x297a_2d39);
    (rings * 900.0 + direct * 4000.0) as u16 + (noise >> 8) as u16 % 24
}

#[cfg(test)]
mod tests {
    use super::photons;

    #[test]
    fn the_middle_is_brighter_than_the_edge() {
        assert!(photons(0, 102, 132) > 1000);
        assert!(photons(0, 0, 0) < 300);
    }
}
