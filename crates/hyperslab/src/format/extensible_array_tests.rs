//! The blocks of an extensible array, written and read back.

use super::{
    ExtensibleArrayHeader, ExtensibleArrayShape, ExtensibleDataBlock, ExtensibleIndexBlock,
    ExtensibleSuperBlock,
};
use crate::error::to_usize;
use crate::format::bytes::{Address, Cursor, Length, Sink, Widths, Wire};
use proptest::prelude::{any, prop, proptest};

fn header() -> ExtensibleArrayHeader {
    ExtensibleArrayHeader {
        client: 0,
        element_size: 8,
        max_elements_bits: 32,
        index_elements: 4,
        min_data_elements: 16,
        min_pointers: 4,
        page_bits: 10,
        super_blocks: Length(0),
        super_block_size: Length(0),
        data_blocks: Length(0),
        data_block_size: Length(0),
        max_index_set: Length(9),
        elements: Length(9),
        index_block: Some(Address(800)),
    }
}

#[test]
fn super_blocks_follow_each_other_without_gaps() {
    let shape = ExtensibleArrayShape::new(&header()).unwrap();
    let mut start = 0;
    let mut data_blocks = 0;
    for number in 0..29 {
        let block = shape.super_block(number).unwrap();
        assert_eq!((block.start, block.first_data_block), (start, data_blocks), "super block {number}");
        assert_eq!(shape.super_block_of(start), number);
        start += block.data_blocks * block.elements;
        data_blocks += block.data_blocks;
        assert_eq!(shape.super_block_of(start - 1), number);
    }
    assert!(shape.super_block(64).is_err());
}

#[test]
fn an_array_with_pages_of_one_element_is_refused() {
    let header = ExtensibleArrayHeader { page_bits: 0, ..header() };
    let error = ExtensibleArrayShape::new(&header).unwrap_err().to_string();
    assert!(error.contains("cannot have pages of 2^0"), "{error}");
}

#[test]
fn blocks_are_written_and_read_back_at_the_size_they_say() {
    let widths = Widths::EIGHT;
    let header = header();
    let mut sink = Sink::new(widths);
    header.write(&mut sink).unwrap();
    let bytes = sink.into_bytes();
    assert_eq!(bytes.len(), ExtensibleArrayHeader::size(widths));
    assert_eq!(ExtensibleArrayHeader::read(&mut Cursor::new(&bytes, widths)).unwrap(), header);

    let shape = ExtensibleArrayShape::new(&header).unwrap();
    let index = ExtensibleIndexBlock {
        client: 0,
        header: Some(Address(8)),
        elements: vec![3; 32],
        data_blocks: vec![Some(Address(1)); 6],
        super_blocks: vec![None; 25],
    };
    let mut sink = Sink::new(widths);
    index.write(&mut sink).unwrap();
    let bytes = sink.into_bytes();
    assert_eq!(bytes.len(), shape.index_block_size(widths).unwrap());
    assert_eq!(ExtensibleIndexBlock::read(&mut Cursor::new(&bytes, widths), &shape).unwrap(), index);

    for number in [4, 13, 14] {
        let block = shape.super_block(number).unwrap();
        let bitmap = block.data_blocks * block.pages.div_ceil(8);
        let over = ExtensibleSuperBlock {
            client: 0,
            header: Some(Address(8)),
            offset: block.start,
            page_bitmap: vec![1; to_usize(bitmap).unwrap()],
            data_blocks: vec![None; to_usize(block.data_blocks).unwrap()],
        };
        let mut sink = Sink::new(widths);
        over.write(&mut sink, &shape).unwrap();
        let bytes = sink.into_bytes();
        assert_eq!(bytes.len(), shape.super_block_size(&block, widths).unwrap());
        let read = ExtensibleSuperBlock::read(&mut Cursor::new(&bytes, widths), &shape, &block).unwrap();
        assert_eq!(read, over);

        let elements = if block.pages == 0 { to_usize(block.elements).unwrap() * 8 } else { 0 };
        let data = ExtensibleDataBlock {
            client: 0,
            header: Some(Address(8)),
            offset: block.start,
            elements: vec![9; elements],
        };
        let mut sink = Sink::new(widths);
        data.write(&mut sink, &shape).unwrap();
        let bytes = sink.into_bytes();
        assert_eq!(bytes.len(), shape.data_block_size(&block, widths).unwrap());
        let read = ExtensibleDataBlock::read(&mut Cursor::new(&bytes, widths), &shape, &block).unwrap();
        assert_eq!(read, data);
    }
}

proptest! {
    #[test]
    fn any_parameters_are_a_shape_or_an_error(
        bytes in prop::collection::vec(any::<u8>(), 7),
        number in 0_u64..80,
    ) {
        let [element_size, max_elements_bits, index_elements, min_data_elements, min_pointers, page_bits, client] =
            <[u8; 7]>::try_from(bytes).unwrap();
        let header = ExtensibleArrayHeader {
            client, element_size, max_elements_bits, index_elements, min_data_elements, min_pointers, page_bits,
            ..header()
        };
        if let Ok(shape) = ExtensibleArrayShape::new(&header)
            && let Ok(block) = shape.super_block(number)
        {
            let zeros = [0; 300];
            let _ = ExtensibleIndexBlock::read(&mut Cursor::new(&zeros, Widths::EIGHT), &shape);
            let _ = ExtensibleSuperBlock::read(&mut Cursor::new(&zeros, Widths::EIGHT), &shape, &block);
            let _ = ExtensibleDataBlock::read(&mut Cursor::new(&zeros, Widths::EIGHT), &shape, &block);
            let _ = shape.super_block_size(&block, Widths::EIGHT);
        }
    }
}
