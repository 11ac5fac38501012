//! The doubling table, and the blocks of a fractal heap written and read back.

use super::{
    DirectBlock, FractalHeapFields, FractalHeapHeader, HeapFilters, HeapShape, IndirectBlock, IndirectEntry,
};
use crate::format::bytes::{Address, Cursor, Length, Sink, Widths, Wire};
use proptest::prelude::{any, prop, proptest};

fn header(filtered: bool) -> FractalHeapHeader {
    let none = Length(0);
    let pipeline = vec![1, 2, 3];
    FractalHeapHeader {
        fields: FractalHeapFields {
            id_size: 8,
            filters_size: if filtered { 3 } else { 0 },
            flags: 2,
            max_managed_size: 4096,
            next_huge: none,
            huge_tree: None,
            free_space: none,
            free_space_manager: None,
            managed_size: none,
            allocated_size: none,
            iterator: none,
            managed_objects: none,
            huge_size: none,
            huge_objects: none,
            tiny_size: none,
            tiny_objects: none,
            table_width: 4,
            start_block_size: Length(1024),
            max_direct_size: Length(65536),
            max_heap_bits: 40,
            start_rows: 1,
            root: Some(Address(500)),
            rows: 0,
        },
        filters: filtered.then_some(HeapFilters { root_size: 80, root_mask: 0, pipeline }),
    }
}

#[test]
fn blocks_of_the_table_follow_each_other_and_double_from_the_third_row() {
    let shape = HeapShape::new(&header(false)).unwrap();
    assert_eq!((shape.offset_width, shape.length_width), (5, 2));
    let mut start = 0;
    for entry in 0..48 {
        let place = shape.locate(start).unwrap();
        assert_eq!((place.entry, place.start), (entry, start));
        assert_eq!(place.size, 1024 << (entry / 4).saturating_sub(1));
        assert_eq!(place.rows.is_some(), entry >= 4 * 8, "entry {entry}");
        assert_eq!(shape.locate(start + place.size - 1).unwrap(), place);
        start += place.size;
    }
    assert_eq!(shape.locate(1024 << 9).unwrap().rows, Some(6));
}

#[test]
fn structures_are_written_and_read_back_at_the_size_they_say() {
    let widths = Widths::EIGHT;
    for filtered in [false, true] {
        let header = header(filtered);
        let mut sink = Sink::new(widths);
        header.write(&mut sink).unwrap();
        let bytes = sink.into_bytes();
        assert_eq!(bytes.len(), FractalHeapHeader::size(if filtered { 3 } else { 0 }, widths));
        assert_eq!(FractalHeapHeader::read(&mut Cursor::new(&bytes, widths)).unwrap(), header);

        let shape = HeapShape::new(&header).unwrap();
        let size = if filtered { 6 } else { 0 };
        let mut entries = vec![IndirectEntry { address: Some(Address(7)), size, filter_mask: 0 }; 32];
        entries.resize(40, IndirectEntry { address: None, size: 0, filter_mask: 0 });
        let block = IndirectBlock { header: Some(Address(5)), offset: 0, entries };
        let mut sink = Sink::new(widths);
        block.write(&mut sink, &shape).unwrap();
        let bytes = sink.into_bytes();
        assert_eq!(bytes.len(), shape.indirect_size(10, widths).unwrap());
        assert_eq!(IndirectBlock::read(&mut Cursor::new(&bytes, widths), &shape, 10).unwrap(), block);

        let mut sink = Sink::new(widths);
        let mut image = b"FHDB\0".to_vec();
        image.extend(5_u64.to_le_bytes());
        image.extend([0; 5]);
        image.extend([0; 4]);
        assert_eq!(image.len(), shape.direct_overhead(widths));
        image.extend([3; 100]);
        let block = DirectBlock { header: Some(Address(5)), offset: 0, bytes: image };
        block.write(&mut sink, &shape).unwrap();
        assert_eq!(DirectBlock::parse(sink.into_bytes(), &shape, widths).unwrap(), block);
    }
}

proptest! {
    #[test]
    fn any_header_is_a_shape_or_an_error(
        start: u64, largest: u64, width: u16, bits: u16, managed: u32, offset: u64, rows: u64,
        zeros in prop::collection::vec(any::<u8>(), 0..200),
    ) {
        let mut header = header(false);
        header.fields.start_block_size = Length(1 << (start & 63));
        header.fields.max_direct_size = Length(1 << (largest & 63));
        header.fields.table_width = 1 << (width & 15);
        header.fields.max_heap_bits = bits & 127;
        header.fields.max_managed_size = managed;
        if let Ok(shape) = HeapShape::new(&header) {
            let _ = shape.locate(offset);
            let _ = shape.indirect_size(rows, Widths::EIGHT);
            let _ = IndirectBlock::read(&mut Cursor::new(&zeros, Widths::EIGHT), &shape, rows);
        }
    }
}
