//! Powers modulo an odd number, as Montgomery multiplies: for the signatures that the cryptographic
//! library does not make any more. Not for keys that matter: it takes its time by the key's bits.

/// `base` to the power of `exponent`, modulo `modulus`, which is odd. All of them big-endian; the
/// result has as many bytes as the modulus without leading zeros.
pub(super) fn power(base: &[u8], exponent: &[u8], modulus: &[u8]) -> Vec<u8> {
    let zeros = modulus.iter().take_while(|&&byte| byte == 0).count();
    let bytes = modulus.len() - zeros;
    let modulus = Modulus::new(&modulus[zeros..]);
    let base = modulus.enter(&limbs(base, modulus.limbs.len()));
    let mut result = modulus.enter(&limbs(&[1], modulus.limbs.len()));
    for bit in exponent
        .iter()
        .flat_map(|byte| (0..8).rev().map(move |bit| byte >> bit & 1))
    {
        result = modulus.product(&result, &result);
        if bit == 1 {
            result = modulus.product(&result, &base);
        }
    }
    let result = modulus.product(&result, &limbs(&[1], modulus.limbs.len()));
    let big_endian: Vec<u8> = result
        .iter()
        .rev()
        .flat_map(|limb| limb.to_be_bytes())
        .collect();
    big_endian[big_endian.len() - bytes..].to_vec()
}

/// Little-endian limbs of a big-endian number.
fn limbs(big_endian: &[u8], count: usize) -> Vec<u64> {
    let mut limbs: Vec<u64> = big_endian
        .rchunks(8)
        .map(|chunk| {
            chunk
                .iter()
                .fold(0, |limb, &byte| limb << 8 | u64::from(byte))
        })
        .collect();
    limbs.resize(count, 0);
    limbs
}

struct Modulus {
    limbs: Vec<u64>,
    /// `-1 / modulus`, modulo 2^64.
    factor: u64,
}

impl Modulus {
    fn new(big_endian: &[u8]) -> Self {
        let limbs = limbs(big_endian, big_endian.len().div_ceil(8));
        assert_eq!(limbs[0] & 1, 1, "the modulus is odd");
        // Newton: each step doubles the number of bits that are right; an odd number is its own
        // inverse modulo 8.
        let inverse = (0..5).fold(limbs[0], |inverse, _| {
            inverse.wrapping_mul(2u64.wrapping_sub(limbs[0].wrapping_mul(inverse)))
        });
        Modulus {
            factor: inverse.wrapping_neg(),
            limbs,
        }
    }

    /// `number * 2^(64 * limbs)`, by doubling. The number is below the modulus.
    fn enter(&self, number: &[u64]) -> Vec<u64> {
        let mut number = number.to_vec();
        for _ in 0..self.limbs.len() * 64 {
            let mut carry = 0;
            for limb in &mut number {
                (*limb, carry) = (*limb << 1 | carry, *limb >> 63);
            }
            self.reduce(&mut number, carry);
        }
        number
    }

    /// `a * b / 2^(64 * limbs)`.
    fn product(&self, a: &[u64], b: &[u64]) -> Vec<u64> {
        let count = self.limbs.len();
        let mut sum = vec![0; count + 1];
        for &digit in b {
            let over = add_product(&mut sum, a, digit);
            let quotient = sum[0].wrapping_mul(self.factor);
            let over = over + add_product(&mut sum, &self.limbs, quotient);
            // The lowest limb is zero now.
            sum.copy_within(1.., 0);
            sum[count] = over;
        }
        let top = sum[count];
        sum.truncate(count);
        self.reduce(&mut sum, top);
        sum
    }

    /// Takes the modulus off once if the number, with `top` as its highest limb, is not below it.
    fn reduce(&self, number: &mut [u64], top: u64) {
        if top == 0 && number.iter().rev().lt(self.limbs.iter().rev()) {
            return;
        }
        let mut borrow = false;
        for (limb, &less) in number.iter_mut().zip(&self.limbs) {
            let (difference, first) = limb.overflowing_sub(less);
            let (difference, second) = difference.overflowing_sub(u64::from(borrow));
            (*limb, borrow) = (difference, first | second);
        }
    }
}

/// Adds `a * digit` to `sum`, which has one limb more than `a`. Returns what does not fit.
fn add_product(sum: &mut [u64], a: &[u64], digit: u64) -> u64 {
    let mut carry = 0u128;
    for (limb, &factor) in sum.iter_mut().zip(a) {
        carry += u128::from(*limb) + u128::from(factor) * u128::from(digit);
        *limb = carry as u64;
        carry >>= 64;
    }
    carry += u128::from(sum[a.len()]);
    sum[a.len()] = carry as u64;
    (carry >> 64) as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn small_powers_are_right() {
        for modulus in (3u64..200).step_by(2).chain([0xffff_ffff_ffff_ffc5]) {
            for (base, exponent) in [(0, 1), (1, 0), (2, 10), (3, 255), (7, 65_537)] {
                let base = base % modulus;
                let expected = (0..exponent).fold(1 % u128::from(modulus), |power, _| {
                    power * u128::from(base) % u128::from(modulus)
                });
                let power = power(
                    &base.to_be_bytes(),
                    &u32::to_be_bytes(exponent),
                    &modulus.to_be_bytes(),
                );
                let power = power
                    .iter()
                    .fold(0, |power, &byte| power << 8 | u128::from(byte));
                assert_eq!(power, expected, "{base}^{exponent} mod {modulus}");
            }
        }
    }

    #[test]
    fn a_power_of_several_limbs_is_right() {
        // Fermat: a^(p - 1) = 1 mod p, and a^p = a, with p = 2^127 - 1.
        let prime = (i128::MAX as u128).to_be_bytes();
        let base = 0x0123_4567_89ab_cdef_fedc_ba98_7654_3210_u128.to_be_bytes();
        let one = 1u128.to_be_bytes();
        let less = (i128::MAX as u128 - 1).to_be_bytes();
        assert_eq!(power(&base, &less, &prime), one);
        assert_eq!(power(&base, &prime, &prime), base);
    }
}
