import SharedProtocol

@main
struct LedgerMain {
    static func main() async throws {}
}
