import OperatorCLI

@main
enum Atectl {
    static func main() async { await OperatorCLI.main(Array(CommandLine.arguments.dropFirst())) }
}
