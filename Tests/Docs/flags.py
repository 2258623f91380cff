"""Fails when documentation names a flag that no program has. The programs to ask are in the directory that is given."""

import re
import subprocess
import sys

FLAG = r"(?<![\w-])--[a-z][a-z0-9_-]*[a-z0-9](?![\w-])"
# Of etcd, etcdctl, curl, systemctl, protoc and pip.
OTHERS = {
    "--quota-backend-bytes", "--auto-compaction-retention", "--now", "--proto_path", "--python_out", "--grpc_python_out",
    "--fail", "--silent",
}


def help_of(*command):
    return subprocess.run([*command, "--help"], capture_output=True, text=True, timeout=30).stdout


def main(programs, pages):
    texts = [help_of(f"{programs}/{name}") for name in ("ateapi", "atelet", "atenet", "atectl", "ate-simulate")]
    texts += [help_of(f"{programs}/ateapi", "admin", "after-restore")]
    commands = re.findall(r"^  ([a-z][a-z-]+)  ", help_of(f"{programs}/atectl"), re.MULTILINE)
    texts += [help_of(f"{programs}/atectl", command) for command in commands]
    for script in ("scripts/bench", "scripts/etcd-roles", "scripts/test", "scripts/test-deb"):
        with open(script) as file:
            texts.append(file.read())
    known = OTHERS | set(re.findall(FLAG, "\n".join(texts)))
    unknown = []
    for page in pages:
        with open(page) as file:
            for number, line in enumerate(file, 1):
                unknown += [f"{page}:{number}: no program has {flag}" for flag in re.findall(FLAG, line) if flag not in known]
    if unknown:
        sys.exit("\n".join(unknown))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2:])
