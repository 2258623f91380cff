// swift-tools-version: 6.2

import PackageDescription

let strict: [SwiftSetting] = [
    .treatAllWarnings(as: .error),
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("InternalImportsByDefault"),
    .enableUpcomingFeature("MemberImportVisibility"),
    .enableUpcomingFeature("NonisolatedNonsendingByDefault"),
]

/// A Swift module of ours, in Sources/<name>.
func module(_ name: String, uses dependencies: [Target.Dependency]) -> Target {
    .target(name: name, dependencies: dependencies, swiftSettings: strict)
}

/// A thin main of ours, in Sources/<name>.
func program(_ name: String, uses dependencies: [Target.Dependency]) -> Target {
    .executableTarget(name: name, dependencies: dependencies, swiftSettings: strict)
}

func tests(_ name: String, uses dependencies: [Target.Dependency]) -> Target {
    .testTarget(name: name, dependencies: dependencies, swiftSettings: strict)
}

let package = Package(
    name: "substrate-etcd",
    products: [
        .library(name: "GRPC", targets: ["GRPC"]),
        .library(name: "Etcd", targets: ["Etcd"]),
        // For tests: loaded into a program that is to be killed.
        .library(name: "KillAtStep", type: .dynamic, targets: ["KillAtStep"]),
    ],
    targets: [
        .systemLibrary(name: "CGRPC", providers: [.apt(["libgrpc-dev"])]),
        .systemLibrary(name: "CProtobufC", providers: [.apt(["libprotobuf-c-dev"])]),
        .systemLibrary(name: "CMicroHTTPD", providers: [.apt(["libmicrohttpd-dev"])]),
        .systemLibrary(name: "CCurl", providers: [.apt(["libcurl4-openssl-dev"])]),
        .systemLibrary(name: "CYAML", providers: [.apt(["libyaml-dev"])]),
        .systemLibrary(name: "CSmartCols", providers: [.apt(["libsmartcols-dev"])]),
        .systemLibrary(name: "CArchive", providers: [.apt(["libarchive-dev"])]),
        .systemLibrary(name: "COpenSSL", providers: [.apt(["libssl-dev"])]),
        .systemLibrary(name: "CSystemd", providers: [.apt(["libsystemd-dev"])]),
        .target(name: "CMessages", dependencies: ["CProtobufC"]),
        .target(name: "CSpawn"),

        module("GRPC", uses: ["CGRPC"]),
        module("Protobuf", uses: ["CProtobufC", "CMessages", "GRPC"]),
        module("Etcd", uses: ["GRPC", "Protobuf", "CProtobufC", "CMessages", "COpenSSL"]),
        module("SubstrateModel", uses: []),
        module("SubstrateAPI", uses: ["GRPC", "Protobuf", "CMessages", "ServiceKit", "SubstrateModel"]),
        module(
            "StandardServices", uses: ["SubstrateAPI", "GRPC", "Protobuf", "CMessages", "ServiceKit"]),
        module(
            "SubstrateStore", uses: ["Etcd", "ServiceKit", "SubstrateAPI", "SubstrateModel", "Protobuf", "CMessages"]),

        module("History", uses: ["SubstrateStore", "SubstrateModel", "Etcd"]),

        module("Metrics", uses: []),
        module("ServiceKit", uses: ["CSystemd"]),
        module("Processes", uses: ["CSpawn", "ServiceKit"]),
        module("HTTP", uses: ["CMicroHTTPD", "CCurl", "ServiceKit"]),
        module("StatusPage", uses: ["HTTP", "Metrics", "ServiceKit"]),
        module("Identity", uses: ["COpenSSL", "HTTP", "ServiceKit"]),
        module(
            "ControlPlane", uses: ["SubstrateStore", "SubstrateAPI", "SubstrateModel", "Etcd", "Metrics", "ServiceKit"]),
        module(
            "ControlAPI",
            uses: [
                "ControlPlane", "Identity", "SubstrateStore", "SubstrateAPI", "SubstrateModel", "Etcd", "GRPC",
                "Metrics",
                "ServiceKit", "StatusPage",
            ]),
        module(
            "NodeAgent",
            uses: [
                "SubstrateStore", "SubstrateAPI", "SubstrateModel", "Etcd", "GRPC", "HTTP", "Metrics", "Processes",
                "ServiceKit", "StatusPage", "CArchive", "CSpawn", "COpenSSL",
            ]),
        module(
            "Router",
            uses: [
                "StandardServices", "SubstrateAPI", "SubstrateModel", "GRPC", "HTTP", "Metrics", "Processes",
                "ServiceKit",
                "StatusPage",
            ]),
        module(
            "OperatorCLI",
            uses: [
                "Identity", "SubstrateAPI", "SubstrateModel", "GRPC", "ProgramKit", "ServiceKit", "CYAML", "CSmartCols",
            ]),
        module("ProgramKit", uses: ["Etcd", "GRPC", "HTTP", "Metrics", "ServiceKit", "StatusPage"]),

        program(
            "ateapi",
            uses: [
                "ControlAPI", "ControlPlane", "Identity", "StandardServices", "SubstrateStore", "SubstrateModel",
                "Etcd", "GRPC", "Metrics", "ProgramKit", "ServiceKit", "StatusPage",
            ]),
        program(
            "atelet",
            uses: [
                "NodeAgent", "StandardServices", "SubstrateStore", "SubstrateModel", "Etcd", "GRPC", "Metrics",
                "ProgramKit", "ServiceKit", "StatusPage",
            ]),
        module(
            "LocalCluster",
            uses: ["SubstrateAPI", "SubstrateModel", "Etcd", "GRPC", "HTTP", "Processes", "ServiceKit"]),
        program(
            "ate-local",
            uses: ["LocalCluster", "SubstrateAPI", "SubstrateModel", "GRPC", "HTTP", "ServiceKit"]),
        .target(name: "Serving", path: "examples/serving", swiftSettings: strict),
        .executableTarget(
            name: "counter", dependencies: ["Serving"], path: "examples/counter", swiftSettings: strict),
        .executableTarget(
            name: "helpdesk", dependencies: ["Serving"], path: "examples/helpdesk", swiftSettings: strict),
        program("witness", uses: []),
        program("atectl", uses: ["OperatorCLI"]),
        program("atenet", uses: ["Router", "GRPC", "HTTP", "Metrics", "ProgramKit", "ServiceKit", "StatusPage"]),

        module(
            "Simulation",
            uses: [
                "History", "ControlPlane", "NodeAgent", "SubstrateStore", "SubstrateAPI", "SubstrateModel", "Etcd",
                "GRPC", "ServiceKit",
            ]),
        program("ate-simulate", uses: ["Simulation", "ServiceKit"]),

        module(
            "TestKit",
            uses: [
                "History", "LocalCluster", "ControlPlane", "NodeAgent", "SubstrateStore", "SubstrateAPI",
                "SubstrateModel", "Etcd", "GRPC", "HTTP", "Metrics", "Processes", "ServiceKit",
            ]),
        program(
            "ate-bench",
            uses: [
                "ControlPlane", "Router", "SubstrateStore", "SubstrateAPI", "SubstrateModel", "Etcd", "GRPC", "HTTP",
                "Processes", "ServiceKit", "LocalCluster", "TestKit",
            ]),

        .target(name: "KillAtStep", path: "Tests/KillAtStep"),
        tests("GRPCTests", uses: ["GRPC", "TestKit"]),
        tests("SimulationTests", uses: ["Simulation", "Etcd", "LocalCluster", "TestKit", "ate-simulate"]),
        tests("EtcdTests", uses: ["Etcd", "GRPC", "LocalCluster", "Processes", "TestKit"]),
        tests("SubstrateModelTests", uses: ["SubstrateModel"]),
        tests(
            "HistoryTests",
            uses: ["History", "LocalCluster", "SubstrateStore", "SubstrateModel", "Etcd", "ServiceKit", "TestKit"]),
        tests("SubstrateStoreTests", uses: ["SubstrateStore", "SubstrateModel", "Etcd", "Protobuf", "TestKit"]),
        tests("ServiceKitTests", uses: ["ServiceKit", "LocalCluster", "TestKit"]),
        tests(
            "ProgramKitTests",
            uses: [
                "ProgramKit", "Etcd", "GRPC", "HTTP", "Metrics", "ServiceKit", "StatusPage", "LocalCluster", "TestKit",
            ]),
        tests("StandardServicesTests", uses: ["StandardServices", "SubstrateAPI", "GRPC", "ServiceKit", "TestKit"]),
        tests("IdentityTests", uses: ["Identity", "HTTP", "LocalCluster", "Processes", "ServiceKit", "TestKit"]),
        tests(
            "OperatorCLITests",
            uses: [
                "OperatorCLI", "ControlAPI", "ControlPlane", "SubstrateStore", "SubstrateAPI", "SubstrateModel", "Etcd",
                "GRPC", "LocalCluster", "ServiceKit", "TestKit", "atectl",
            ]),
        tests(
            "ObservabilityTests",
            uses: [
                "ControlAPI", "ControlPlane", "Etcd", "GRPC", "HTTP", "LocalCluster", "Metrics", "NodeAgent",
                "Processes", "ProgramKit", "Router", "ServiceKit", "StandardServices", "StatusPage", "SubstrateAPI",
                "SubstrateModel", "SubstrateStore", "TestKit", "ateapi", "atelet", "atenet", "atectl", "counter",
            ]),
        tests("ProcessesTests", uses: ["Processes", "LocalCluster", "TestKit", "atenet"]),
        tests(
            "NodeAgentTests",
            uses: [
                "NodeAgent", "SubstrateStore", "SubstrateAPI", "SubstrateModel", "Etcd", "GRPC", "LocalCluster",
                "Processes", "HTTP",
                "ServiceKit", "TestKit", "atelet", "counter",
            ]),
        tests(
            "RouterTests",
            uses: [
                "Router", "SubstrateAPI", "SubstrateModel", "GRPC", "HTTP", "LocalCluster", "Processes", "ServiceKit",
                "TestKit", "ateapi", "atelet", "atenet", "atectl",
            ]),
        tests(
            "ControlAPITests",
            uses: [
                "ControlAPI", "Identity", "ControlPlane", "SubstrateStore", "SubstrateAPI", "SubstrateModel", "Etcd",
                "GRPC", "Protobuf", "ProgramKit", "LocalCluster", "Processes", "ServiceKit", "TestKit", "ateapi",
                "atelet",
                "atectl", "counter",
            ]),
        tests(
            "SoakTests",
            uses: [
                "History", "LocalCluster", "SubstrateStore", "SubstrateAPI", "SubstrateModel", "Etcd", "GRPC",
                "Processes",
                "ServiceKit", "TestKit", "ateapi", "atelet", "witness",
            ]),
        tests(
            "ControlPlaneTests",
            uses: [
                "History", "ControlPlane", "NodeAgent", "SubstrateStore", "SubstrateAPI", "SubstrateModel", "Etcd",
                "GRPC", "LocalCluster", "ServiceKit", "TestKit",
            ]),
    ],
    swiftLanguageModes: [.v6]
)
