//! The room's arithmetic against brute force: every element listed, one by one.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::{AxisSlab, Hyperslab, Mapper, Part, Selection, parts};

/// Every coordinate of an array of size `dims`, in row-major order.
fn coordinates(dims: &[u64]) -> Vec<Vec<u64>> {
    dims.iter().fold(vec![Vec::new()], |all, dim| {
        all.iter().flat_map(|c| (0..*dim).map(move |at| c.iter().copied().chain([at]).collect())).collect()
    })
}

/// The selected coordinates in the order of elements, by asking each coordinate.
fn listed(selection: &Selection, dims: &[u64]) -> Vec<Vec<u64>> {
    let on_axis = |slab: &AxisSlab, at: u64| {
        let Some(offset) = at.checked_sub(slab.start) else { return false };
        let block = slab.block.unwrap_or(u64::MAX);
        offset / slab.stride < slab.count.unwrap_or(u64::MAX) && offset % slab.stride < block
            || slab.count == Some(1) && offset < block
    };
    let inside = |at: &Vec<u64>| match selection {
        Selection::All => true,
        Selection::Hyperslab(Hyperslab::Regular(axes)) => {
            axes.iter().zip(at).all(|(slab, at)| on_axis(slab, *at))
        }
        Selection::Hyperslab(Hyperslab::Blocks(blocks)) => blocks.iter().any(|(first, last)| {
            first.iter().zip(last).zip(at).all(|((first, last), at)| first <= at && at <= last)
        }),
        _ => false,
    };
    coordinates(dims).into_iter().filter(inside).collect()
}

fn slab(dim: u64) -> impl Strategy<Value = AxisSlab> {
    (0..dim, 1..4_u64, 0..3_u64, 1..4_u64).prop_map(move |(start, block, gap, count)| {
        let block = block.min(dim - start);
        let stride = block + gap;
        let room = 1 + (dim - start - block) / stride;
        AxisSlab { start, stride, count: Some(count.min(room)), block: Some(block) }
    })
}

fn boxes(dims: Vec<u64>) -> impl Strategy<Value = Selection> {
    let rank = dims.len();
    let side = |dim: u64| (0..dim, 0..4_u64).prop_map(move |(low, more)| (low, (low + more).min(dim - 1)));
    let corner = dims.into_iter().map(side).collect::<Vec<_>>();
    prop::collection::vec(corner, 1..6).prop_map(move |boxes| {
        let flat: Vec<u64> = boxes
            .iter()
            .flat_map(|sides| sides.iter().map(|(low, _)| *low).chain(sides.iter().map(|(_, high)| *high)))
            .collect();
        Selection::from_blocks(rank, &flat).unwrap()
    })
}

fn selection(dims: Vec<u64>) -> impl Strategy<Value = Selection> {
    let slabs = dims.iter().copied().map(slab).collect::<Vec<_>>();
    prop_oneof![
        1 => Just(Selection::All),
        4 => slabs.prop_map(|axes| Selection::from_axes(axes).unwrap()),
        3 => boxes(dims),
    ]
}

fn sized() -> impl Strategy<Value = (Vec<u64>, Selection)> {
    prop::collection::vec(1..10_u64, 1..4).prop_flat_map(|dims| (Just(dims.clone()), selection(dims)))
}

/// All elements of some parts as place ↦ source; fails when a place occurs twice.
fn elements(parts: &[Part]) -> BTreeMap<Vec<u64>, Vec<u64>> {
    let mut all = BTreeMap::new();
    for (place, source) in parts.iter().flat_map(Part::elements) {
        assert!(all.insert(place.clone(), source).is_none(), "place {place:?} occurs twice");
    }
    all
}

proptest! {
    #[test]
    fn a_request_covers_each_selected_element_once_and_in_order((dims, selection) in sized()) {
        let shape = selection.shape(&dims).unwrap();
        let expected: BTreeMap<_, _> = coordinates(&shape).into_iter().zip(listed(&selection, &dims)).collect();
        let parts = parts(&selection, &dims).unwrap();
        prop_assert_eq!(selection.count(&dims).unwrap(), expected.len() as u64);
        prop_assert_eq!(parts.iter().map(Part::count).sum::<u64>(), expected.len() as u64);
        prop_assert_eq!(elements(&parts), expected);
    }

    #[test]
    fn projecting_equals_matching_the_kth_with_the_kth(
        ((vdims, here), (sdims, there)) in (sized(), sized()),
        pick in any::<prop::sample::Index>(),
        requests in prop::collection::vec(any::<u64>(), 1),
    ) {
        check_projection(&vdims, &here, &sdims, &there, pick.index(1000) as u64 + requests[0] % 7)?;
    }

    #[test]
    fn selections_of_equal_size_and_other_rank_project_exactly(
        (dims, here) in sized(),
        keep in 0..3_usize,
        seed in 0..1000_u64,
    ) {
        // The same elements as a row, as a column of rows, or with axes of length 1 put in between.
        let count = here.count(&dims).unwrap();
        let shape = here.shape(&dims).unwrap();
        let sdims: Vec<u64> = match keep {
            0 => vec![count],
            1 => shape.iter().flat_map(|dim| [1, *dim]).collect(),
            _ => shape.iter().rev().take(1).fold(vec![], |_, last| vec![count / last, *last]),
        };
        check_projection(&dims, &here, &sdims, &Selection::All, seed)?;
        check_projection(&sdims, &Selection::All, &dims, &here, seed)?;
    }

    #[test]
    fn a_box_that_is_one_of_the_same_shape_elsewhere_projects_exactly(
        axes in prop::collection::vec((1..5_u64, 0..4_u64, 0..4_u64, 0..3_u64), 1..4),
        seed in 0..1000_u64,
    ) {
        let range = |start: u64, length: u64| start..start + length;
        let here: Vec<_> = axes.iter().map(|(length, first, _, _)| range(*first, *length)).collect();
        let there: Vec<_> = axes.iter().map(|(length, _, first, _)| range(*first, *length)).collect();
        let vdims: Vec<u64> = here.iter().zip(&axes).map(|(range, (.., after))| range.end + after).collect();
        let sdims: Vec<u64> = there.iter().zip(&axes).map(|(range, (.., after))| range.end + after).collect();
        let (here, there) = (Selection::from_ranges(&here).unwrap(), Selection::from_ranges(&there).unwrap());
        check_projection(&vdims, &here, &sdims, &there, seed)?;
    }
}

/// Some request of an array of size `dims`, chosen by `seed`.
fn request(dims: &[u64], seed: u64) -> Selection {
    let mut seed = seed;
    let mut next = |bound: u64| {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (seed >> 33) % bound
    };
    let axes = dims.iter().map(|dim| {
        let start = next(*dim);
        let block = (1 + next(3)).min(dim - start);
        let stride = block + next(3);
        let count = 1 + next(1 + (dim - start - block) / stride);
        AxisSlab { start, stride, count: Some(count), block: Some(block) }
    });
    Selection::from_axes(axes.collect()).unwrap()
}

fn check_projection(
    vdims: &[u64],
    here: &Selection,
    sdims: &[u64],
    there: &Selection,
    seed: u64,
) -> Result<(), TestCaseError> {
    let matched: BTreeMap<_, _> = listed(here, vdims).into_iter().zip(listed(there, sdims)).collect();
    let mapper = Mapper::new(here, vdims, there, sdims).unwrap();
    prop_assert_eq!(mapper.count(), matched.len() as u64);
    for selection in [request(vdims, seed), request(vdims, seed + 1), Selection::All] {
        let request = parts(&selection, vdims).unwrap();
        let expected: BTreeMap<_, _> = elements(&request)
            .into_iter()
            .filter_map(|(place, at)| matched.get(&at).map(|source| (place, source.clone())))
            .collect();
        let projected: Vec<Part> = request.iter().flat_map(|part| mapper.project(part)).collect();
        for part in &projected {
            prop_assert_eq!(part.source_rank(), sdims.len());
            prop_assert_eq!(part.place_rank(), vdims.len());
            prop_assert!(part.fits_source(sdims));
        }
        prop_assert_eq!(elements(&projected), expected);
    }
    Ok(())
}

#[test]
fn a_mapping_of_equal_axes_projects_to_one_part_whatever_its_size() {
    let huge = 1 << 40;
    let here = Selection::from_axes(vec![
        AxisSlab { start: 7, stride: 1000, count: Some(huge), block: Some(1) },
        AxisSlab::range(0, 4),
    ])
    .unwrap();
    let there = Selection::from_ranges(&[0..huge, 3..4, 0..4]).unwrap();
    let mapper = Mapper::new(&here, &[huge * 1000 + 8, 4], &there, &[huge, 9, 4]).unwrap();
    let request =
        parts(&Selection::from_ranges(&[5000..9_000_000, 1..3]).unwrap(), &[huge * 1000 + 8, 4]).unwrap();
    let found = mapper.project(&request[0]);
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].count(), 8995 * 2);
    assert_eq!(found[0].source_rank(), 3);
}

#[test]
fn points_that_go_on_evenly_become_one_part() {
    let points = super::Points::new(2, vec![1, 5, 1, 7, 1, 9, 0, 0, 0, 0, 2, 0]).unwrap();
    let parts = parts(&points.into(), &[3, 10]).unwrap();
    assert_eq!(parts.iter().map(Part::count).collect::<Vec<_>>(), [3, 1, 2]);
    let places: Vec<u64> = parts.iter().flat_map(Part::elements).map(|(place, _)| place[0]).collect();
    assert_eq!(places, [0, 1, 2, 3, 4, 5]);
}

#[test]
fn two_unlimited_selections_are_cut_to_the_same_number_of_slices() {
    let here = Selection::from_axes(vec![AxisSlab::unlimited(1, 3)]).unwrap();
    let there = Selection::from_axes(vec![AxisSlab::unlimited(0, 1)]).unwrap();
    assert_eq!(Mapper::new(&here, &[12], &there, &[2]).unwrap().count(), 2);
    assert_eq!(Mapper::new(&here, &[6], &there, &[9]).unwrap().count(), 2);
}
