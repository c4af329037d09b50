import SharedProtocol

@main
struct LumenMain {
    static func main() async throws {}
}
