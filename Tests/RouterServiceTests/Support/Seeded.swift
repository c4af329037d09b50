import Glibc

/// Randomness that a failing test can repeat: the seed is in its message, and `TEST_SEED` sets it.
struct SeededGenerator: RandomNumberGenerator {
    let seed: UInt64
    private var state: UInt64

    init() {
        seed = getenv("TEST_SEED").flatMap { UInt64(String(cString: $0)) } ?? .random(in: 0 ... .max)
        state = seed
    }

    /// Marsaglia's xorshift64*, begun away from its fixed point 0.
    mutating func next() -> UInt64 {
        if state == 0 { state = 0x9E37_79B9 }
        state ^= state >> 12
        state ^= state << 25
        state ^= state >> 27
        return state &* 0x2545_F491_4F6C_DD1D
    }
}
