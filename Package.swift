// swift-tools-version: 6.2
import PackageDescription

/// Warnings are errors in our own targets; dependencies are built with warnings suppressed. What is called goes on where its
/// caller runs, unless it is `@concurrent`, as what hands on a value that is not `Sendable` has to be (measured: 3 % of the CPU
/// of a request, 7 % of a stream's).
let strict: [SwiftSetting] = [
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("MemberImportVisibility"),
    .enableUpcomingFeature("NonisolatedNonsendingByDefault"),
    .treatAllWarnings(as: .error),
]

let logging: Target.Dependency = .product(name: "Logging", package: "swift-log")
let nioCore: Target.Dependency = .product(name: "NIOCore", package: "swift-nio")
let nioPosix: Target.Dependency = .product(name: "NIOPosix", package: "swift-nio")
let nioLocks: Target.Dependency = .product(name: "NIOConcurrencyHelpers", package: "swift-nio")
let crypto: Target.Dependency = .product(name: "Crypto", package: "swift-crypto")
let lifecycle: Target.Dependency = .product(name: "ServiceLifecycle", package: "swift-service-lifecycle")
let hummingbird: Target.Dependency = .product(name: "Hummingbird", package: "hummingbird")
let jwt: Target.Dependency = .product(name: "JWTKit", package: "jwt-kit")
let grdb: Target.Dependency = .product(name: "GRDB", package: "GRDB.swift")
let arguments: Target.Dependency = .product(name: "ArgumentParser", package: "swift-argument-parser")

/// What every service is made of.
let service: [Target.Dependency] = [
    "SharedProtocol", "ServiceRuntime", arguments, lifecycle, logging, nioCore, nioPosix, nioLocks,
]

/// The tool chain's linker, for relocations in the RELR form: they are read at each start, and take a quarter of the memory.
let linker: [LinkerSetting] = [
    .unsafeFlags(["-use-ld=lld", "-Xlinker", "-z", "-Xlinker", "pack-relative-relocs"], .when(platforms: [.linux]))
]

let package = Package(
    name: "lumen",
    platforms: [.macOS(.v15)],
    products: [
        .executable(name: "lumen", targets: ["lumen"]),
        .executable(name: "auth-service", targets: ["auth-service"]),
        .executable(name: "ledger-service", targets: ["ledger-service"]),
        .executable(name: "router-service", targets: ["router-service"]),
        .executable(name: "web-service", targets: ["web-service"]),
    ],
    dependencies: [
        .package(url: "https://github.com/apple/swift-argument-parser.git", from: "1.8.2"),
        .package(url: "https://github.com/apple/swift-crypto.git", from: "4.5.2"),
        .package(url: "https://github.com/apple/swift-http-types.git", from: "1.8.0"),
        .package(url: "https://github.com/apple/swift-log.git", from: "1.16.2"),
        .package(url: "https://github.com/apple/swift-nio.git", from: "2.101.2"),
        .package(url: "https://github.com/groue/GRDB.swift.git", from: "7.10.0"),
        .package(url: "https://github.com/hummingbird-project/hummingbird.git", from: "2.28.1", traits: []),
        .package(url: "https://github.com/hummingbird-project/swift-mustache.git", from: "2.1.1"),
        .package(url: "https://github.com/jpsim/Yams.git", from: "6.2.2"),
        .package(url: "https://github.com/swift-server/swift-service-lifecycle.git", from: "2.13.0"),
        .package(url: "https://github.com/vapor/jwt-kit.git", from: "5.7.1"),
    ],
    targets: [
        .target(
            name: "SharedProtocol",
            dependencies: [
                lifecycle, logging, nioCore, nioPosix, nioLocks, crypto,
                .product(name: "Yams", package: "Yams"),
            ],
            swiftSettings: strict
        ),
        .target(name: "CPages"),
        .target(
            name: "ServiceRuntime",
            dependencies: [
                "CPages", "SharedProtocol", arguments, lifecycle, logging, nioCore, nioPosix, nioLocks,
                .product(name: "UnixSignals", package: "swift-service-lifecycle"),
            ],
            swiftSettings: strict,
            linkerSettings: linker
        ),
        .target(
            name: "Storage",
            dependencies: ["CLibPQ", "SharedProtocol", logging, nioCore, nioPosix, nioLocks, grdb],
            swiftSettings: strict
        ),
        .target(name: "CLibPQ"),
        .target(name: "CCurl"),
        .target(
            name: "HTTPClient",
            dependencies: ["CCurl", logging, nioCore, nioLocks],
            swiftSettings: strict
        ),
        .systemLibrary(name: "CHiredis", providers: [.apt(["libhiredis-dev"])]),
        .target(name: "RedisClient", dependencies: ["CHiredis", "SharedProtocol"], swiftSettings: strict),
        .executableTarget(
            name: "auth-service",
            dependencies: service + ["HTTPClient", "Storage", crypto, jwt],
            swiftSettings: strict
        ),
        .executableTarget(
            name: "ledger-service",
            dependencies: service + ["Storage"],
            swiftSettings: strict
        ),
        .executableTarget(
            name: "router-service",
            dependencies: service + ["HTTPClient"],
            swiftSettings: strict
        ),
        .executableTarget(
            name: "web-service",
            dependencies: service + [
                "RedisClient", "Storage", crypto, hummingbird,
                .product(name: "HTTPTypes", package: "swift-http-types"),
                .product(name: "Mustache", package: "swift-mustache"),
            ],
            resources: [.copy("Resources")],
            swiftSettings: strict
        ),
        .executableTarget(
            name: "lumen",
            dependencies: service + ["Storage", hummingbird, .product(name: "HTTPTypes", package: "swift-http-types")],
            swiftSettings: strict
        ),
        .testTarget(
            name: "SharedProtocolTests",
            dependencies: ["SharedProtocol", nioCore, nioPosix, nioLocks],
            swiftSettings: strict
        ),
        .target(
            name: "StorageTesting", dependencies: ["Storage", "SharedProtocol", logging], path: "Tests/StorageTesting",
            swiftSettings: strict
        ),
        .testTarget(
            name: "StorageTests", dependencies: ["Storage", "StorageTesting", "SharedProtocol", logging, nioLocks],
            swiftSettings: strict
        ),
        .testTarget(
            name: "AuthServiceTests",
            dependencies: [
                "auth-service", "HTTPClient", "SharedProtocol", "Storage", "StorageTesting", crypto, jwt, logging,
                nioCore, nioPosix, nioLocks,
            ],
            swiftSettings: strict
        ),
        .testTarget(
            name: "LedgerServiceTests",
            dependencies: ["ledger-service", "SharedProtocol", "Storage", "StorageTesting", grdb, logging],
            swiftSettings: strict
        ),
        .testTarget(
            name: "RouterServiceTests",
            dependencies: ["router-service", "HTTPClient", "SharedProtocol", nioCore, nioPosix, nioLocks],
            swiftSettings: strict
        ),
        .testTarget(
            name: "WebServiceTests",
            dependencies: [
                "web-service", "RedisClient", "SharedProtocol", "Storage", "StorageTesting", hummingbird, nioCore,
                nioPosix,
                .product(name: "HTTPTypes", package: "swift-http-types"),
                .product(name: "NIOEmbedded", package: "swift-nio"),
            ],
            swiftSettings: strict
        ),
        .testTarget(
            name: "LumenTests", dependencies: ["lumen", "SharedProtocol", arguments, nioCore, nioPosix, nioLocks],
            swiftSettings: strict
        ),
    ]
)
