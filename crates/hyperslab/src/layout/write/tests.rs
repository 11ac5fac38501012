//! Writes and reads in turn against an array in memory.

use crate::datatype::{Conversion, Datatype, NoHeap};
use crate::error::{ErrorKind, Result};
use crate::layout::execute::Memory;
use crate::layout::external::{ExternalFile, Opener};
use crate::layout::tests::{bytes_of, offset, part, pieces, read_values, whole};
use crate::layout::write::{Change, ElementsMut, LayoutMut, write};
use crate::layout::{Elements, Layout};
use crate::metadata::Metadata;
use crate::space::{Part, Segment};
use crate::storage::memory::MemoryStorage;
use crate::storage::tests::{Call, Fault, TestStorage};
use crate::storage::{ReadAt, WriteAt};
use parking_lot::Mutex;
use proptest::prelude::*;
use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;

pub(super) const FILL: u16 = 0xabcd;

/// A file that takes `writes` writes; some of its space was used before.
pub(super) fn file(writes: u64) -> Metadata {
    let disk = TestStorage::new(vec![0x5a; 4096]);
    disk.fail(Fault {
        of: Some(Call::Write),
        after: writes,
        error: io::ErrorKind::StorageFull,
        lasting: true,
    });
    let metadata = Metadata::create(Arc::new(disk), 4096).unwrap();
    for _ in 0..3 {
        let used = metadata.allocate(300).unwrap();
        metadata.write_data(used, &[0x77; 300]).unwrap_or_default();
        metadata.free(used, 300).unwrap();
    }
    metadata
}

/// Files that are made when they are written.
#[derive(Default)]
struct Shelf(Mutex<BTreeMap<String, Arc<MemoryStorage>>>);

impl Opener for Shelf {
    fn open(&self, path: &str) -> Result<Arc<dyn ReadAt>> {
        Ok(self.open_mut(path)? as Arc<dyn ReadAt>)
    }
    fn open_mut(&self, path: &str) -> Result<Arc<dyn WriteAt>> {
        Ok(Arc::clone(self.0.lock().entry(path.to_owned()).or_default()) as Arc<dyn WriteAt>)
    }
}

/// What is written: parts and the shape of the array they come from.
#[derive(Clone, Debug)]
pub(super) struct Step {
    pub(super) parts: Vec<Part>,
    pub(super) place_dims: Vec<u64>,
    /// Whether memory has u32.
    pub(super) wide: bool,
    pub(super) seed: u16,
}

/// A box of pieces, or points of which some may be the same.
pub(super) fn step(dims: &[u64]) -> impl Strategy<Value = Step> + use<> {
    let boxes = dims.iter().map(|dim| pieces(*dim)).collect::<Vec<_>>();
    let boxes = (boxes, any::<bool>()).prop_map(|(boxes, reversed)| {
        let length = |pieces: &Vec<(u64, u64, u64)>| pieces.iter().map(|piece| piece.2).sum::<u64>();
        let place: Vec<u64> = boxes.iter().map(length).collect();
        (vec![part(&boxes, &vec![0; place.len()], reversed)], place)
    });
    let point = dims.iter().map(|dim| 0..*dim).collect::<Vec<_>>();
    let points = prop::collection::vec(point, 1..12).prop_map(|points| {
        let one = |(at, point): (usize, &Vec<u64>)| {
            let mut axes = part(
                &point.iter().map(|at| vec![(*at, 1, 1)]).collect::<Vec<_>>(),
                &vec![0; point.len()],
                false,
            )
            .axes;
            for (axis, of) in axes.iter_mut().enumerate() {
                of.place_axis = (axis == 0).then_some(0);
                of.segments[0].place = if axis == 0 { at as u64 } else { 0 };
            }
            Part { axes }
        };
        (points.iter().enumerate().map(one).collect::<Vec<_>>(), vec![points.len() as u64])
    });
    let everything = Just((whole(dims), dims.to_vec()));
    let kinds = prop_oneof![4 => boxes.boxed(), 2 => points.boxed(), 1 => everything.boxed()];
    (kinds, any::<(bool, u16)>()).prop_map(|((parts, place_dims), (wide, seed))| Step {
        parts,
        place_dims,
        wide,
        seed,
    })
}

impl Step {
    fn values(&self) -> Vec<u16> {
        let count = usize::try_from(self.place_dims.iter().product::<u64>()).unwrap();
        (0..count).map(|at| u16::try_from(at * 31 % 60_000).unwrap() ^ self.seed).collect()
    }

    pub(super) fn run(&self, elements: &mut ElementsMut<'_>) -> Result<()> {
        let to = Datatype::of::<u16>();
        let from = if self.wide { Datatype::of::<u32>() } else { to.clone() };
        let conversion = Conversion::plan(&from, &to)?;
        let memory = Memory { conversion: &conversion, size: from.size(), heap: &NoHeap, zeroed: false };
        let values = self.values();
        let input = if self.wide {
            values.iter().flat_map(|value| u32::from(*value).to_le_bytes()).collect()
        } else {
            bytes_of(&values)
        };
        write(elements, &self.parts, &self.place_dims, &memory, &input)
    }

    pub(super) fn apply(&self, model: &mut [u16], dims: &[u64]) {
        let values = self.values();
        for part in &self.parts {
            for (place, source) in part.elements() {
                model[offset(&source, dims)] = values[offset(&place, &self.place_dims)];
            }
        }
    }
}

pub(super) fn count(dims: &[u64]) -> usize {
    usize::try_from(dims.iter().product::<u64>()).unwrap()
}

pub(super) fn shape_and_steps() -> impl Strategy<Value = (Vec<u64>, Vec<Step>)> {
    prop::collection::vec(1..12u64, 1..4)
        .prop_flat_map(|dims| (Just(dims.clone()), prop::collection::vec(step(&dims), 1..6)))
}

proptest! {
    #[test]
    fn what_is_written_to_a_run_of_bytes_is_read_back((dims, steps) in shape_and_steps(), kind in 0..3, filled in any::<bool>()) {
        let metadata = file(u64::MAX);
        let size = count(&dims) * 2;
        let third = size as u64 / 3;
        let external = |path: &str, size| ExternalFile { path: path.to_owned(), offset: 3, size };
        let files = [external("a", third), external("b", third), external("c", u64::MAX)];
        let shelf = Shelf::default();
        let mut compact = bytes_of(&vec![FILL; count(&dims)]);
        let fill = if filled { bytes_of(&[FILL]) } else { Vec::new() };
        let start = if kind == 1 || (kind == 0 && filled) { FILL } else { 0 };
        let mut model = vec![start; count(&dims)];
        let mut address = None;
        for step in &steps {
            let layout = match kind {
                0 => LayoutMut::Contiguous { address, size: size as u64, filled: true },
                1 => LayoutMut::Compact(&mut compact),
                _ => LayoutMut::External { files: &files, opener: &shelf },
            };
            let mut elements = ElementsMut { metadata: &metadata, layout, dims: &dims, element: 2, fill: &fill, change: None };
            step.run(&mut elements).unwrap();
            step.apply(&mut model, &dims);
            if let Some(Change::Contiguous(start)) = elements.change {
                address = Some(start);
            }
            let layout = match kind {
                0 => Layout::Contiguous { address, size: size as u64 },
                1 => Layout::Compact(&compact),
                _ => Layout::External { files: &files, opener: &shelf },
            };
            let stored = Elements { metadata: &metadata, layout, dims: &dims, element: 2, fill: &fill };
            prop_assert_eq!(&read_values(&stored, &whole(&dims), &dims, false).unwrap(), &model);
        }
    }
}

#[test]
fn segments_of_one_part_that_share_elements_are_written_in_their_order() {
    let dims = [4, 5];
    let metadata = file(u64::MAX);
    let mut axes = part(&[vec![(0, 1, 4)], vec![(0, 1, 4), (1, 2, 2)]], &[0, 0], false);
    axes.axes[1].segments.push(Segment { place: 6, place_step: 1, source: 3, source_step: 1, count: 1 });
    let step = Step { parts: vec![axes], place_dims: vec![4, 7], wide: true, seed: 9 };
    let layout = LayoutMut::Contiguous { address: None, size: 40, filled: true };
    let mut elements =
        ElementsMut { metadata: &metadata, layout, dims: &dims, element: 2, fill: &[], change: None };
    step.run(&mut elements).unwrap();
    let Some(Change::Contiguous(start)) = elements.change else { unreachable!() };
    let mut model = vec![0; 20];
    step.apply(&mut model, &dims);
    let layout = Layout::Contiguous { address: Some(start), size: 40 };
    let stored = Elements { metadata: &metadata, layout, dims: &dims, element: 2, fill: &[] };
    assert_eq!(read_values(&stored, &whole(&dims), &dims, false).unwrap(), model);
}

#[test]
fn large_runs_are_written_by_several_threads() {
    let dims = [5, 1000, 1000];
    let metadata = file(u64::MAX);
    let mut model = vec![0; count(&dims)];
    let mut address = None;
    let strided =
        vec![part(&[vec![(0, 2, 3)], vec![(1, 3, 300)], vec![(0, 1, 10), (500, 2, 100)]], &[0; 3], false)];
    let everything = Step { parts: whole(&dims), place_dims: dims.to_vec(), wide: true, seed: 3 };
    let some = Step { parts: strided, place_dims: vec![3, 300, 110], wide: false, seed: 77 };
    for step in [everything, some] {
        let layout = LayoutMut::Contiguous { address, size: 10_000_000, filled: true };
        let mut elements =
            ElementsMut { metadata: &metadata, layout, dims: &dims, element: 2, fill: &[], change: None };
        step.run(&mut elements).unwrap();
        if let Some(Change::Contiguous(start)) = elements.change {
            address = Some(start);
        }
        step.apply(&mut model, &dims);
        let layout = Layout::Contiguous { address, size: 10_000_000 };
        let stored = Elements { metadata: &metadata, layout, dims: &dims, element: 2, fill: &[] };
        assert!(read_values(&stored, &whole(&dims), &dims, false).unwrap() == model);
    }
}

#[test]
fn members_that_memory_lacks_stay_what_they_are() {
    let pair = || Datatype::compound().member("a", Datatype::of::<u8>());
    let stored = pair().member("b", Datatype::of::<u16>()).member("c", Datatype::of::<u8>()).build().unwrap();
    let given = Datatype::compound()
        .member("c", Datatype::of::<u16>())
        .member("a", Datatype::of::<u8>())
        .build()
        .unwrap();
    let conversion = Conversion::plan(&given, &stored).unwrap();
    let memory = Memory { conversion: &conversion, size: given.size(), heap: &NoHeap, zeroed: false };
    let metadata = file(u64::MAX);
    let mut compact = (0..16).collect::<Vec<u8>>();
    let layout = LayoutMut::Compact(&mut compact);
    let mut elements =
        ElementsMut { metadata: &metadata, layout, dims: &[4], element: 4, fill: &[], change: None };
    let some = [part(&[vec![(1, 2, 2)]], &[0], false)];
    write(&mut elements, &some, &[2], &memory, &[100, 0, 101, 102, 0, 103]).unwrap();
    assert_eq!(compact, [0, 1, 2, 3, 101, 5, 6, 100, 8, 9, 10, 11, 103, 13, 14, 102]);
    let layout = LayoutMut::Contiguous { address: None, size: 16, filled: true };
    let fill = [1, 2, 3, 4];
    let mut elements =
        ElementsMut { metadata: &metadata, layout, dims: &[4], element: 4, fill: &fill, change: None };
    write(&mut elements, &whole(&[4]), &[4], &memory, &[9, 0, 8].repeat(4)).unwrap();
    let Some(Change::Contiguous(start)) = elements.change else { unreachable!() };
    let mut found = [0; 16];
    metadata.storage().read_at(start.0, &mut found).unwrap();
    assert_eq!(found, [8, 2, 3, 9].repeat(4)[..]);
}

#[test]
fn a_full_disk_reaches_the_caller() {
    for writes in 3..6 {
        let metadata = file(writes);
        let step = Step {
            parts: vec![part(&[vec![(1, 1, 2)]], &[0], false)],
            place_dims: vec![2],
            wide: true,
            seed: 0,
        };
        let layout = LayoutMut::Contiguous { address: None, size: 8, filled: true };
        let mut elements =
            ElementsMut { metadata: &metadata, layout, dims: &[4], element: 2, fill: &[1, 2], change: None };
        let result = step.run(&mut elements);
        assert_eq!(result.is_ok(), writes == 5, "{result:?}");
        if let Err(error) = result {
            assert_eq!(error.kind(), ErrorKind::Io);
        }
    }
}
