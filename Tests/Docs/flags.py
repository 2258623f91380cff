"""Fails when documentation names a flag that no program has, or a program with a flag of another. The programs to ask are in the
directory that is given."""

import re
import subprocess
import sys

FLAG = r"(?<![\w-])--[a-z][a-z0-9_-]*[a-z0-9](?![\w-])"
# Of etcd, etcdctl, curl, systemctl, apt-get, protoc and pip.
OTHERS = {
    "--quota-backend-bytes", "--auto-compaction-retention", "--now", "--proto_path", "--python_out", "--grpc_python_out",
    "--fail", "--silent", "--no-install-recommends",
}


def flags_of(*command):
    text = subprocess.run([*command, "--help"], capture_output=True, text=True, timeout=30).stdout
    return set(re.findall(FLAG, text)), text


def main(programs, pages):
    flags = {name: flags_of(f"{programs}/{name}")[0] for name in ("ateapi", "atelet", "atenet", "ate-simulate")}
    flags["ateapi"] |= flags_of(f"{programs}/ateapi", "admin", "after-restore")[0]
    flags["atectl"], text = flags_of(f"{programs}/atectl")
    for command in re.findall(r"^  ([a-z][a-z-]+)  ", text, re.MULTILINE):
        flags["atectl"] |= flags_of(f"{programs}/atectl", command)[0]
    with open("scripts/etcd-roles") as file:
        known = OTHERS.union(*flags.values(), re.findall(FLAG, file.read()))
    problems = []
    for page in pages:
        with open(page) as file:
            is_configuration = False
            for number, line in enumerate(file, 1):
                if line.lstrip().startswith("```"):
                    is_configuration = line.strip() == "```ini"
                found = re.findall(FLAG, line)
                if is_configuration:
                    found += [f"--{name}" for name in re.findall(r"^([a-z-]+) = ", line)]
                problems += [f"{page}:{number}: no program has {flag}" for flag in found if flag not in known]
                for program, flag in re.findall(r"\b(ateapi|atelet|atenet|ate-simulate) (" + FLAG + ")", line):
                    if flag not in flags[program]:
                        problems.append(f"{page}:{number}: {program} has no {flag}")
    if problems:
        sys.exit("\n".join(problems))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2:])
