// swift-tools-version: 6.2

import PackageDescription

let strict: [SwiftSetting] = [
    .treatAllWarnings(as: .error),
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("InternalImportsByDefault"),
    .enableUpcomingFeature("MemberImportVisibility"),
]

/// A Swift module of ours, in Sources/<name>.
func module(_ name: String, uses dependencies: [Target.Dependency]) -> Target {
    .target(name: name, dependencies: dependencies, swiftSettings: strict)
}

func tests(_ name: String, uses dependencies: [Target.Dependency]) -> Target {
    .testTarget(name: name, dependencies: dependencies, swiftSettings: strict)
}

let package = Package(
    name: "substrate-etcd",
    products: [
        .library(name: "GRPC", targets: ["GRPC"]),
        .library(name: "Etcd", targets: ["Etcd"]),
    ],
    targets: [
        .systemLibrary(name: "CGRPC", providers: [.apt(["libgrpc-dev"])]),
        .systemLibrary(name: "CProtobufC", providers: [.apt(["libprotobuf-c-dev"])]),
        .target(name: "CMessages", dependencies: ["CProtobufC"]),

        module("GRPC", uses: ["CGRPC"]),
        module("Protobuf", uses: ["CProtobufC", "CMessages", "GRPC"]),
        module("Etcd", uses: ["GRPC", "Protobuf", "CMessages"]),

        tests("GRPCTests", uses: ["GRPC"]),
    ],
    swiftLanguageModes: [.v6]
)
