//! Which of the 64 bytes of a block are which character.

use crate::BLOCK;

/// One bit for each byte of a block that is this character, strings or not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Classes {
    pub(crate) quotes: u64,
    pub(crate) backslashes: u64,
    pub(crate) opening_braces: u64,
    pub(crate) closing_braces: u64,
    pub(crate) opening_brackets: u64,
    pub(crate) closing_brackets: u64,
    pub(crate) colons: u64,
    pub(crate) commas: u64,
    /// Bytes below 0x20.
    pub(crate) control: u64,
}

impl Classes {
    /// From a way to tell which bytes are equal to one, and the control characters.
    #[inline(always)]
    fn of(equal_to: impl Fn(u8) -> u64, control: u64) -> Self {
        Classes {
            quotes: equal_to(b'"'),
            backslashes: equal_to(b'\\'),
            opening_braces: equal_to(b'{'),
            closing_braces: equal_to(b'}'),
            opening_brackets: equal_to(b'['),
            closing_brackets: equal_to(b']'),
            colons: equal_to(b':'),
            commas: equal_to(b','),
            control,
        }
    }
}

/// A byte at a time.
#[inline(always)]
pub(crate) fn portable(block: &[u8; BLOCK]) -> Classes {
    let select = |holds: &dyn Fn(u8) -> bool| {
        let bits = block.iter().rev();
        bits.fold(0, |mask, byte| mask << 1 | u64::from(holds(*byte)))
    };
    Classes::of(
        |wanted| select(&|byte| byte == wanted),
        select(&|byte| byte < 0x20),
    )
}

#[cfg(target_arch = "x86_64")]
pub(crate) mod x86_64 {
    //! AVX-512 and AVX2. Most vector instructions are safe to use where the compiler knows that the processor has them;
    //! a block is handed to them as numbers, which the compiler turns into loads.

    use std::arch::x86_64::*;

    use super::Classes;
    use crate::{BLOCK, Visitor, visit_with};

    /// Does the processor have what [`visit_avx2`] asks for?
    pub(crate) fn has_avx2() -> bool {
        is_x86_feature_detected!("avx2")
            && is_x86_feature_detected!("pclmulqdq")
            && is_x86_feature_detected!("bmi1")
            && is_x86_feature_detected!("bmi2")
            && is_x86_feature_detected!("popcnt")
            && is_x86_feature_detected!("lzcnt")
    }

    /// Does the processor have what [`visit_avx512`] asks for?
    pub(crate) fn has_avx512() -> bool {
        has_avx2() && is_x86_feature_detected!("avx512f") && is_x86_feature_detected!("avx512bw")
    }

    #[target_feature(enable = "avx2,pclmulqdq,bmi1,bmi2,popcnt,lzcnt")]
    pub(crate) fn visit_avx2(text: &[u8], visitor: &mut impl Visitor) {
        visit_with(text, visitor, |block| avx2(block), |bits| prefix_xor(bits));
    }

    #[target_feature(enable = "avx512f,avx512bw,avx2,pclmulqdq,bmi1,bmi2,popcnt,lzcnt")]
    pub(crate) fn visit_avx512(text: &[u8], visitor: &mut impl Visitor) {
        visit_with(
            text,
            visitor,
            |block| avx512(block),
            |bits| prefix_xor(bits),
        );
    }

    /// Carry-less multiplication by all ones: each bit goes to all places from its own on.
    #[inline]
    #[target_feature(enable = "pclmulqdq")]
    fn prefix_xor(bits: u64) -> u64 {
        let product =
            _mm_clmulepi64_si128(_mm_set_epi64x(0, bits.cast_signed()), _mm_set1_epi8(-1), 0);
        _mm_cvtsi128_si64(product).cast_unsigned()
    }

    /// The block as eight numbers, the first bytes in the first one.
    #[inline(always)]
    fn words(block: &[u8; BLOCK]) -> [i64; 8] {
        let (words, _) = block.as_chunks::<8>();
        let mut all = [0; 8];
        for (number, bytes) in all.iter_mut().zip(words) {
            *number = i64::from_le_bytes(*bytes);
        }
        all
    }

    #[inline]
    #[target_feature(enable = "avx512f,avx512bw")]
    fn avx512(block: &[u8; BLOCK]) -> Classes {
        let [a, b, c, d, e, f, g, h] = words(block);
        let bytes = _mm512_set_epi64(h, g, f, e, d, c, b, a);
        Classes::of(
            |wanted| _mm512_cmpeq_epi8_mask(bytes, _mm512_set1_epi8(wanted.cast_signed())),
            _mm512_cmplt_epu8_mask(bytes, _mm512_set1_epi8(0x20)),
        )
    }

    #[inline]
    #[target_feature(enable = "avx2")]
    fn avx2(block: &[u8; BLOCK]) -> Classes {
        let [a, b, c, d, e, f, g, h] = words(block);
        let (low, high) = (_mm256_set_epi64x(d, c, b, a), _mm256_set_epi64x(h, g, f, e));
        let mask = |low, high| {
            let (low, high) = (_mm256_movemask_epi8(low), _mm256_movemask_epi8(high));
            u64::from(high.cast_unsigned()) << 32 | u64::from(low.cast_unsigned())
        };
        let most = _mm256_set1_epi8(0x1f);
        let below = |bytes| _mm256_cmpeq_epi8(_mm256_max_epu8(bytes, most), most);
        Classes::of(
            |wanted| {
                let wanted = _mm256_set1_epi8(wanted.cast_signed());
                mask(
                    _mm256_cmpeq_epi8(low, wanted),
                    _mm256_cmpeq_epi8(high, wanted),
                )
            },
            mask(below(low), below(high)),
        )
    }
}

#[cfg(target_arch = "aarch64")]
pub(crate) mod aarch64 {
    //! NEON, which every aarch64 processor has.

    use std::arch::aarch64::*;

    use super::Classes;
    use crate::strings::prefix_xor;
    use crate::{BLOCK, Visitor, visit_with};

    #[target_feature(enable = "neon")]
    pub(crate) fn visit_neon(text: &[u8], visitor: &mut impl Visitor) {
        visit_with(text, visitor, |block| neon(block), prefix_xor);
    }

    #[inline]
    #[target_feature(enable = "neon")]
    fn neon(block: &[u8; BLOCK]) -> Classes {
        let (quarters, _) = block.as_chunks::<16>();
        let mut parts = [vdupq_n_u8(0); 4];
        for (part, bytes) in parts.iter_mut().zip(quarters) {
            let bits = u128::from_le_bytes(*bytes);
            *part = vcombine_u8(vcreate_u8(bits as u64), vcreate_u8((bits >> 64) as u64));
        }
        let control = mask(parts.map(|part| vcltq_u8(part, vdupq_n_u8(0x20))));
        Classes::of(
            |wanted| mask(parts.map(|part| vceqq_u8(part, vdupq_n_u8(wanted)))),
            control,
        )
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
