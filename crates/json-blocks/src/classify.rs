//! Which of the 64 bytes of a block are which character.

use crate::BLOCK;

/// One bit for each byte of a block that is this character, in strings or not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Classes {
    /// `"`
    pub quotes: u64,
    /// `\`
    pub backslashes: u64,
    /// `{` and `[`
    pub opening: u64,
    /// `}` and `]`
    pub closing: u64,
    /// `:`
    pub colons: u64,
    /// `,`
    pub commas: u64,
    /// Bytes below 0x20.
    pub control: u64,
}

/// The bit in which `[` and `{`, and `]` and `}`, differ.
const KIND_BIT: u8 = b'{' ^ b'[';

impl Classes {
    /// A byte at a time.
    pub fn of(block: &[u8; BLOCK]) -> Self {
        let mut classes = Classes::default();
        for (place, byte) in block.iter().enumerate() {
            let bit = 1 << place;
            match byte {
                b'"' => classes.quotes |= bit,
                b'\\' => classes.backslashes |= bit,
                b'{' | b'[' => classes.opening |= bit,
                b'}' | b']' => classes.closing |= bit,
                b':' => classes.colons |= bit,
                b',' => classes.commas |= bit,
                0..0x20 => classes.control |= bit,
                _ => {}
            }
        }
        classes
    }
}

#[cfg(target_arch = "x86_64")]
pub(crate) mod x86_64 {
    //! AVX-512 and AVX2. Most vector instructions are safe to use where the compiler knows that the processor has them;
    //! a block is handed to them as numbers, which the compiler turns into loads.

    use std::arch::x86_64::*;

    use super::{Classes, KIND_BIT};
    use crate::{BLOCK, Places, Slots, Unit, Visitor, visit_with, write_places};

    /// Does the processor have what [`visit_avx2`] asks for?
    #[inline]
    pub(crate) fn has_avx2() -> bool {
        is_x86_feature_detected!("avx2")
            && is_x86_feature_detected!("pclmulqdq")
            && is_x86_feature_detected!("bmi1")
            && is_x86_feature_detected!("bmi2")
            && is_x86_feature_detected!("popcnt")
            && is_x86_feature_detected!("lzcnt")
    }

    /// Does the processor have what [`visit_avx512`] asks for?
    #[inline]
    pub(crate) fn has_avx512() -> bool {
        has_avx2()
            && is_x86_feature_detected!("avx512f")
            && is_x86_feature_detected!("avx512bw")
            && is_x86_feature_detected!("avx512vbmi2")
    }

    #[target_feature(enable = "avx2,pclmulqdq,bmi1,bmi2,popcnt,lzcnt")]
    pub(crate) fn visit_avx2<V: Visitor>(
        text: &[u8],
        visitor: &mut V,
        state: V::State,
        places: &mut Places,
    ) -> V::State {
        let unit = Unit {
            classify: |block: &[u8; BLOCK]| avx2(block),
            prefix_xor: |bits| prefix_xor(bits),
            write: |bits, offset, block: &[u8; BLOCK], slots: &mut Slots<'_>| {
                write_places(bits, offset, block, slots);
            },
        };
        visit_with(text, visitor, state, places, &unit)
    }

    #[target_feature(enable = "avx512f,avx512bw,avx512vbmi2")]
    #[target_feature(enable = "avx2,pclmulqdq,bmi1,bmi2,popcnt,lzcnt")]
    pub(crate) fn visit_avx512<V: Visitor>(
        text: &[u8],
        visitor: &mut V,
        state: V::State,
        places: &mut Places,
    ) -> V::State {
        let unit = Unit {
            classify: |block: &[u8; BLOCK]| avx512(block),
            prefix_xor: |bits| prefix_xor(bits),
            write: |bits, offset, block: &[u8; BLOCK], slots: &mut Slots<'_>| {
                compress(bits, offset, block, slots);
            },
        };
        visit_with(text, visitor, state, places, &unit)
    }

    /// Carry-less multiplication by all ones: each bit goes to all places from its own on.
    #[inline]
    #[target_feature(enable = "pclmulqdq")]
    fn prefix_xor(bits: u64) -> u64 {
        let bits = _mm_set_epi64x(0, bits.cast_signed());
        let product = _mm_clmulepi64_si128(bits, _mm_set1_epi8(-1), 0);
        _mm_cvtsi128_si64(product).cast_unsigned()
    }

    /// The block as eight numbers, the first bytes in the first one.
    #[inline(always)]
    fn words(block: &[u8; BLOCK]) -> [i64; 8] {
        let (words, _) = block.as_chunks::<8>();
        let mut all = [0; 8];
        let numbers = all.iter_mut().zip(words);
        numbers.for_each(|(number, bytes)| *number = i64::from_le_bytes(*bytes));
        all
    }

    #[inline]
    #[target_feature(enable = "avx512f")]
    fn vector(block: &[u8; BLOCK]) -> __m512i {
        let [a, b, c, d, e, f, g, h] = words(block);
        _mm512_set_epi64(h, g, f, e, d, c, b, a)
    }

    #[inline]
    #[target_feature(enable = "avx512f,avx512bw")]
    fn avx512(block: &[u8; BLOCK]) -> Classes {
        let bytes = vector(block);
        let all = |byte: u8| _mm512_set1_epi8(byte.cast_signed());
        let equal_to = |byte| _mm512_cmpeq_epi8_mask(bytes, all(byte));
        let with_bit = _mm512_or_si512(bytes, all(KIND_BIT));
        Classes {
            quotes: equal_to(b'"'),
            backslashes: equal_to(b'\\'),
            opening: _mm512_cmpeq_epi8_mask(with_bit, all(b'{')),
            closing: _mm512_cmpeq_epi8_mask(with_bit, all(b'}')),
            colons: equal_to(b':'),
            commas: equal_to(b','),
            control: _mm512_cmplt_epu8_mask(bytes, all(0x20)),
        }
    }

    #[inline]
    #[target_feature(enable = "avx2")]
    pub(crate) fn avx2(block: &[u8; BLOCK]) -> Classes {
        let [a, b, c, d, e, f, g, h] = words(block);
        let (low, high) = (_mm256_set_epi64x(d, c, b, a), _mm256_set_epi64x(h, g, f, e));
        let all = |byte: u8| _mm256_set1_epi8(byte.cast_signed());
        let mask = |low, high| {
            let (low, high) = (_mm256_movemask_epi8(low), _mm256_movemask_epi8(high));
            u64::from(high.cast_unsigned()) << 32 | u64::from(low.cast_unsigned())
        };
        let equal = |low, high, byte| {
            mask(
                _mm256_cmpeq_epi8(low, all(byte)),
                _mm256_cmpeq_epi8(high, all(byte)),
            )
        };
        let with_bit = |bytes| _mm256_or_si256(bytes, all(KIND_BIT));
        let (low_with, high_with) = (with_bit(low), with_bit(high));
        let at_most = |bytes| _mm256_max_epu8(bytes, all(0x1f));
        Classes {
            quotes: equal(low, high, b'"'),
            backslashes: equal(low, high, b'\\'),
            opening: equal(low_with, high_with, b'{'),
            closing: equal(low_with, high_with, b'}'),
            colons: equal(low, high, b':'),
            commas: equal(low, high, b','),
            control: equal(at_most(low), at_most(high), 0x1f),
        }
    }

    /// Moves the bytes together, and the numbers of the bits, to which it adds the offset. Hardly any block has more than eight.
    #[inline]
    #[target_feature(enable = "avx512f,avx512bw,avx512vbmi2,avx2,popcnt")]
    fn compress(bits: u64, offset: u32, block: &[u8; BLOCK], slots: &mut Slots<'_>) {
        let bytes = _mm512_maskz_compress_epi8(bits, vector(block));
        let numbers = _mm512_set_epi64(
            0x3f3e_3d3c_3b3a_3938,
            0x3736_3534_3332_3130,
            0x2f2e_2d2c_2b2a_2928,
            0x2726_2524_2322_2120,
            0x1f1e_1d1c_1b1a_1918,
            0x1716_1514_1312_1110,
            0x0f0e_0d0c_0b0a_0908,
            0x0706_0504_0302_0100,
        );
        let numbers = _mm512_maskz_compress_epi8(bits, numbers);
        let offset = _mm512_set1_epi32(offset.cast_signed());
        let count = bits.count_ones();
        if count <= 8 {
            let first = _mm_cvtsi128_si64(_mm512_castsi512_si128(bytes));
            if let Some(slots) = slots.bytes.first_chunk_mut() {
                *slots = first.to_le_bytes();
            }
            let first = _mm256_cvtepu8_epi32(_mm512_castsi512_si128(numbers));
            if let Some(slots) = slots.offsets.first_chunk_mut() {
                store_eight(
                    _mm256_add_epi32(first, _mm512_castsi512_si256(offset)),
                    slots,
                );
            }
            return;
        }
        store_bytes(bytes, slots.bytes);
        let places = |bytes| _mm512_add_epi32(_mm512_cvtepu8_epi32(bytes), offset);
        let (groups, _) = slots.offsets.as_chunks_mut::<16>();
        let [first, second, third, fourth] = groups else {
            return;
        };
        store_sixteen(places(_mm512_castsi512_si128(numbers)), first);
        if count > 16 {
            store_sixteen(places(_mm512_extracti32x4_epi32::<1>(numbers)), second);
            store_sixteen(places(_mm512_extracti32x4_epi32::<2>(numbers)), third);
            store_sixteen(places(_mm512_extracti32x4_epi32::<3>(numbers)), fourth);
        }
    }

    #[inline]
    #[target_feature(enable = "avx2")]
    fn store_eight(vector: __m256i, slots: &mut [u32; 8]) {
        #[allow(unsafe_code, reason = "there is no safe way to store a vector")]
        // SAFETY: the slots are 32 bytes, which is what is stored; the instruction asks for no alignment.
        unsafe {
            _mm256_storeu_si256(slots.as_mut_ptr().cast(), vector);
        }
    }

    #[inline]
    #[target_feature(enable = "avx512f")]
    fn store_sixteen(vector: __m512i, slots: &mut [u32; 16]) {
        #[allow(unsafe_code, reason = "there is no safe way to store a vector")]
        // SAFETY: the slots are 64 bytes, which is what is stored; the instruction asks for no alignment.
        unsafe {
            _mm512_storeu_si512(slots.as_mut_ptr().cast(), vector);
        }
    }

    #[inline]
    #[target_feature(enable = "avx512f")]
    fn store_bytes(vector: __m512i, slots: &mut [u8; BLOCK]) {
        #[allow(unsafe_code, reason = "there is no safe way to store a vector")]
        // SAFETY: the slots are 64 bytes, which is what is stored; the instruction asks for no alignment.
        unsafe {
            _mm512_storeu_si512(slots.as_mut_ptr().cast(), vector);
        }
    }
}

#[cfg(target_arch = "aarch64")]
pub(crate) mod aarch64 {
    //! NEON, which hardly any aarch64 processor lacks.

    use std::arch::aarch64::*;

    use super::{Classes, KIND_BIT};
    use crate::strings::prefix_xor;
    use crate::{BLOCK, Places, Slots, Unit, Visitor, visit_with, write_places};

    /// Does the processor have what [`visit_neon`] asks for?
    #[inline]
    pub(crate) fn has_neon() -> bool {
        std::arch::is_aarch64_feature_detected!("neon")
    }

    #[target_feature(enable = "neon")]
    pub(crate) fn visit_neon<V: Visitor>(
        text: &[u8],
        visitor: &mut V,
        state: V::State,
        places: &mut Places,
    ) -> V::State {
        let unit = Unit {
            classify: |block: &[u8; BLOCK]| neon(block),
            prefix_xor: |bits| prefix_xor(bits),
            write: |bits, offset, block: &[u8; BLOCK], slots: &mut Slots<'_>| {
                write_places(bits, offset, block, slots);
            },
        };
        visit_with(text, visitor, state, places, &unit)
    }

    #[inline]
    #[target_feature(enable = "neon")]
    pub(crate) fn neon(block: &[u8; BLOCK]) -> Classes {
        let (quarters, _) = block.as_chunks::<16>();
        let mut bytes = [vdupq_n_u8(0); 4];
        for (part, quarter) in bytes.iter_mut().zip(quarters) {
            let bits = u128::from_le_bytes(*quarter);
            *part = vcombine_u8(vcreate_u8(bits as u64), vcreate_u8((bits >> 64) as u64));
        }
        let equal =
            |bytes: [uint8x16_t; 4], byte| mask(bytes.map(|part| vceqq_u8(part, vdupq_n_u8(byte))));
        let with_bit = bytes.map(|part| vorrq_u8(part, vdupq_n_u8(KIND_BIT)));
        Classes {
            quotes: equal(bytes, b'"'),
            backslashes: equal(bytes, b'\\'),
            opening: equal(with_bit, b'{'),
            closing: equal(with_bit, b'}'),
            colons: equal(bytes, b':'),
            commas: equal(bytes, b','),
            control: mask(bytes.map(|part| vcltq_u8(part, vdupq_n_u8(0x20)))),
        }
    }

    /// One bit of each byte that is all ones. Each byte keeps the bit of its place among eight; adding neighbours three
    /// times joins eight bytes to one.
    #[inline]
    #[target_feature(enable = "neon")]
    fn mask(parts: [uint8x16_t; 4]) -> u64 {
        const PLACES: u64 = 0x8040_2010_0804_0201;
        let places = vcombine_u8(vcreate_u8(PLACES), vcreate_u8(PLACES));
        let [a, b, c, d] = parts.map(|part| vandq_u8(part, places));
        let joined = vpaddq_u8(vpaddq_u8(a, b), vpaddq_u8(c, d));
        vgetq_lane_u64::<0>(vreinterpretq_u64_u8(vpaddq_u8(joined, joined)))
    }
}
