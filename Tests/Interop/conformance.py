"""What clients of the API rely on, asked by a client that is not ours: grpcio, with messages generated from proto/."""

import os
import subprocess
import sys
import threading
import time

import grpc
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

import older_pb2 as older
from ateapi import ateapi_pb2 as api
from substrate import operator_pb2, resources_pb2, watch_pb2

DEADLINE = 30
channel = grpc.insecure_channel(os.environ["ATE_API"])
checks = 0


def check(claim, what):
    global checks
    if not claim:
        sys.exit(f"FAILED: {what}")
    checks += 1


def unary(path, request, response, metadata=()):
    call = channel.unary_unary(path, type(request).SerializeToString, response.FromString)
    return call.with_call(request, timeout=DEADLINE, metadata=metadata)


def control(method, request, response):
    return unary(f"/ateapi.Control/{method}", request, response)[0]


def expect(code, details, path, request, response):
    try:
        unary(path, request, response)
    except grpc.RpcError as error:
        check(error.code() == code, f"{path}: {error.code()}, expected {code}")
        check(error.details() == details, f"{path}: {error.details()!r}, expected {details!r}")
        trailers = dict(error.trailing_metadata())
        check(trailers.get("x-server-elapsed-us", "").isdigit(), f"{path}: no x-server-elapsed-us in {trailers}")
        return
    sys.exit(f"FAILED: {path} succeeded, expected {code}")


def newer_ref(name, atespace="default"):
    return api.ActorRef(atespace=atespace, name=name)


def whole_life_of_an_actor():
    created = control(
        "CreateActor",
        api.CreateActorRequest(
            actor_ref=newer_ref("py-new"), actor_template_namespace="default", actor_template_name="counter"
        ),
        api.CreateActorResponse,
    ).actor
    check(created.status == api.Actor.STATUS_SUSPENDED and created.version == 1, "a new actor is SUSPENDED at version 1")
    check(created.atespace == "default" and created.actor_id == "py-new", "a new actor has its name")
    running = control("ResumeActor", api.ResumeActorRequest(actor_ref=newer_ref("py-new")), api.ResumeActorResponse).actor
    check(running.status == api.Actor.STATUS_RUNNING and running.ateom_pod_ip, "a resumed actor has a pod")
    workers = control("ListWorkers", api.ListWorkersRequest(), api.ListWorkersResponse).workers
    held = [worker for worker in workers if worker.actor_id == "py-new"]
    check([worker.worker_pod for worker in held] == [running.ateom_pod_name], "its worker is listed with it")
    again = control("ResumeActor", api.ResumeActorRequest(actor_ref=newer_ref("py-new")), api.ResumeActorResponse).actor
    check(again == running, "resuming what runs changes nothing")
    paused = control("PauseActor", api.PauseActorRequest(actor_ref=newer_ref("py-new")), api.PauseActorResponse).actor
    check(paused.status == api.Actor.STATUS_PAUSED, "a paused actor is PAUSED")
    check(paused.latest_snapshot_info.type == api.SNAPSHOT_TYPE_LOCAL, "its latest snapshot is a local one")
    control("ResumeActor", api.ResumeActorRequest(actor_ref=newer_ref("py-new")), api.ResumeActorResponse)
    suspended = control(
        "SuspendActor", api.SuspendActorRequest(actor_ref=newer_ref("py-new")), api.SuspendActorResponse
    ).actor
    check(suspended.status == api.Actor.STATUS_SUSPENDED and not suspended.ateom_pod_ip, "a suspended one has no pod")
    external = suspended.latest_snapshot_info.external.snapshot_uri_prefix
    check(external and external == suspended.last_snapshot, "both generations' fields name its snapshot")
    updated = control(
        "UpdateActor",
        api.UpdateActorRequest(actor_ref=newer_ref("py-new"), worker_selector=api.Selector(match_labels={"a": "b"})),
        api.UpdateActorResponse,
    ).actor
    check(dict(updated.worker_selector.match_labels) == {"a": "b"}, "the selector is replaced")
    control("DeleteActor", api.DeleteActorRequest(actor_ref=newer_ref("py-new")), api.DeleteActorResponse)
    expect(
        grpc.StatusCode.NOT_FOUND, "Actor py-new not found", "/ateapi.Control/GetActor",
        api.GetActorRequest(actor_ref=newer_ref("py-new")), api.GetActorResponse,
    )


def older_clients():
    control(
        "CreateActor",
        older.CreateActorRequest(
            actor_id="py-old", actor_template_namespace="default", actor_template_name="counter"
        ),
        older.ActorResponse,
    )
    running = control("ResumeActor", older.ResumeActorRequest(actor_id="py-old"), older.ActorResponse).actor
    check(running.status == 2 and running.ateom_pod_ip, "an older client resumes by a bare id")
    suspended = control("SuspendActor", older.ActorRequest(actor_id="py-old"), older.ActorResponse).actor
    check(suspended.status == 4 and suspended.last_snapshot, "an older client finds the snapshot in field 9")
    listed = control("ListActors", api.ListActorsRequest(), older.ListActorsResponse).actors
    check("py-old" in [actor.actor_id for actor in listed], "an older client lists without pages")
    newer = control("GetActor", api.GetActorRequest(actor_ref=newer_ref("py-old")), api.GetActorResponse).actor
    check(newer.atespace == "default", "a bare id is of the atespace default")
    control("DeleteActor", older.ActorRequest(actor_id="py-old"), older.ActorResponse)


def errors_and_limits():
    expect(
        grpc.StatusCode.INVALID_ARGUMENT, "id is required", "/ateapi.Control/GetActor", api.GetActorRequest(),
        api.GetActorResponse,
    )
    expect(
        grpc.StatusCode.INVALID_ARGUMENT, "page_size 1001 exceeds maximum page size 1000", "/ateapi.Control/ListActors",
        api.ListActorsRequest(page_size=1001), api.ListActorsResponse,
    )
    expect(
        grpc.StatusCode.FAILED_PRECONDITION, "ActorTemplate default/none not found", "/ateapi.Control/CreateActor",
        api.CreateActorRequest(
            actor_ref=newer_ref("x"), actor_template_namespace="default", actor_template_name="none"
        ),
        api.CreateActorResponse,
    )
    expect(
        grpc.StatusCode.PERMISSION_DENIED,
        "DebugClear is switched off; start ateapi with --enable-debug to allow it",
        "/ateapi.Control/DebugClear", api.DebugClearRequest(), api.DebugClearResponse,
    )
    expect(
        grpc.StatusCode.UNAUTHENTICATED, "Need authorization header", "/ateapi.SessionIdentity/MintJWT",
        api.MintJWTRequest(audience=["x"], app_id="a", user_id="b", session_id="c"), api.MintJWTResponse,
    )
    for path, code in [("/ateapi.Control/NoSuch", grpc.StatusCode.UNIMPLEMENTED)]:
        try:
            unary(path, api.GetActorRequest(), api.GetActorResponse)
            sys.exit(f"FAILED: {path} succeeded")
        except grpc.RpcError as error:
            check(error.code() == code, f"{path}: {error.code()}")
            trailers = dict(error.trailing_metadata())
            check(trailers.get("x-server-elapsed-us", "").isdigit(), f"{path}: no x-server-elapsed-us in {trailers}")
    raw = channel.unary_unary("/ateapi.Control/ListActors")
    for request, code in [(b"\xff\xff", grpc.StatusCode.INVALID_ARGUMENT), (b"x" * (5 << 20), grpc.StatusCode.RESOURCE_EXHAUSTED)]:
        try:
            raw(request, timeout=DEADLINE)
            sys.exit(f"FAILED: a request of {len(request)} bytes that is none succeeded")
        except grpc.RpcError as error:
            check(error.code() == code, f"a request of {len(request)} bytes: {error.code()}, expected {code}")


def pages():
    names = [f"py-page-{number:02}" for number in range(25)]
    control("CreateAtespace", api.CreateAtespaceRequest(name="py-pages"), api.CreateAtespaceResponse)
    for name in names:
        request = api.CreateActorRequest(
            actor_ref=newer_ref(name, "py-pages"), actor_template_namespace="default", actor_template_name="counter"
        )
        _, call = unary("/ateapi.Control/CreateActor", request, api.CreateActorResponse)
        check(dict(call.trailing_metadata())["x-server-elapsed-us"].isdigit(), "success has its trailer, too")
    listed, token = [], ""
    while True:
        page = control(
            "ListActors", api.ListActorsRequest(page_size=7, page_token=token, atespace="py-pages"),
            api.ListActorsResponse,
        )
        listed += [actor.actor_id for actor in page.actors]
        token = page.next_page_token
        if not token:
            break
    check(listed == names, "pages show everybody once, in order")
    for name in names:
        control("DeleteActor", api.DeleteActorRequest(actor_ref=newer_ref(name, "py-pages")), api.DeleteActorResponse)
    control("DeleteAtespace", api.DeleteAtespaceRequest(name="py-pages"), api.DeleteAtespaceResponse)


def watching():
    watch = channel.unary_stream(
        "/substrate.Watch/WatchActors", watch_pb2.WatchActorsRequest.SerializeToString,
        watch_pb2.WatchActorsResponse.FromString,
    )
    updates = watch(watch_pb2.WatchActorsRequest(atespace="default"), timeout=DEADLINE)
    first = next(updates)
    check(first.reset and first.revision > 0, "a watch begins with the state")
    request = api.CreateActorRequest(
        actor_ref=newer_ref("py-watch"), actor_template_namespace="default", actor_template_name="counter"
    )
    control("CreateActor", request, api.CreateActorResponse)
    created = next(updates)
    check([actor.actor_id for actor in created.actors] == ["py-watch"], "it shows what is created")
    control("DeleteActor", api.DeleteActorRequest(actor_ref=newer_ref("py-watch")), api.DeleteActorResponse)
    check([ref.name for ref in next(updates).deleted] == ["py-watch"], "and what is deleted")
    updates.cancel()
    resumed = watch(
        watch_pb2.WatchActorsRequest(atespace="default", after_revision=created.revision), timeout=DEADLINE
    )
    check([ref.name for ref in next(resumed).deleted] == ["py-watch"], "going on from a revision misses nothing")
    resumed.cancel()
    templates, _ = unary(
        "/substrate.Resources/ListActorTemplates", resources_pb2.ListActorTemplatesRequest(),
        resources_pb2.ListActorTemplatesResponse,
    )
    check("counter" in [template.name for template in templates.templates], "templates are listed")
    expect(
        grpc.StatusCode.NOT_FOUND, "Actor nobody not found", "/substrate.Operator/ReleaseHold",
        operator_pb2.ReleaseHoldRequest(actor=newer_ref("nobody")), operator_pb2.ReleaseHoldResponse,
    )


def health_and_reflection(published):
    pool = descriptor_pool.DescriptorPool()
    for file in published.file:
        pool.Add(file)
    factory = message_factory.MessageFactory(pool)

    def message(name):
        return factory.GetPrototype(pool.FindMessageTypeByName(name))

    request = message("grpc.health.v1.HealthCheckRequest")()
    health, _ = unary("/grpc.health.v1.Health/Check", request, message("grpc.health.v1.HealthCheckResponse"))
    check(health.status == 1, "the server says that it serves")
    for version in ["v1", "v1alpha"]:
        package = f"grpc.reflection.{version}"
        question = message(f"{package}.ServerReflectionRequest")
        stream = channel.stream_stream(
            f"/{package}.ServerReflection/ServerReflectionInfo", question.SerializeToString,
            message(f"{package}.ServerReflectionResponse").FromString,
        )

        def ask(**asked):
            return next(stream(iter([question(**asked)]), timeout=DEADLINE))

        services = [service.name for service in ask(list_services="*").list_services_response.service]
        for service in ["ateapi.Control", "ateapi.SessionIdentity", "substrate.Watch", "grpc.health.v1.Health"]:
            check(service in services, f"reflection lists {service}")
        by_name = {file.name: file for file in published.file}
        for service in services:
            answer = ask(file_containing_symbol=service)
            files = answer.file_descriptor_response.file_descriptor_proto
            check(len(files) > 0, f"reflection knows {service}: {answer}")
            for file in files:
                shown = descriptor_pb2.FileDescriptorProto.FromString(file)
                check(shown == by_name[shown.name], f"reflection shows {shown.name} as it is published")
        check("ateapi/ateapi.proto" in by_name, "the API's file is published")
        check(ask(file_by_filename="none.proto").error_response.error_code == 5, "what is not there is NOT_FOUND")


def compressed_requests_are_refused():
    """They would be unpacked before their size is looked at: this one is 64 KiB, and 64 MiB then."""
    call = channel.unary_unary("/ateapi.Control/GetAtespace", lambda bytes: bytes, lambda bytes: bytes)
    try:
        call(b"\0" * (64 << 20), timeout=DEADLINE, compression=grpc.Compression.Gzip)
    except grpc.RpcError as error:
        check(error.code() == grpc.StatusCode.UNIMPLEMENTED, f"a compressed request: {error.code()} {error.details()}")
        return
    sys.exit("FAILED: a compressed request was taken")


def main():
    published = descriptor_pb2.FileDescriptorSet()
    with open(sys.argv[1], "rb") as file:
        published.ParseFromString(file.read())
    programs = os.path.dirname(os.path.realpath(f"/proc/{os.getppid()}/exe"))
    subprocess.run(
        [f"{programs}/atectl", "apply", "-f", os.environ["ATE_MANIFEST"], "--endpoint", os.environ["ATE_API"]],
        check=True, timeout=DEADLINE,
    )
    for part in [whole_life_of_an_actor, older_clients, errors_and_limits, pages, watching, compressed_requests_are_refused]:
        part()
        print(f"  {part.__name__.replace('_', ' ')}")
    health_and_reflection(published)
    print("  health and reflection")
    print(f"{checks} checks held, made by grpcio {grpc.__version__}")


if __name__ == "__main__":
    # Whatever hangs ends.
    watchdog = threading.Timer(240, lambda: os._exit(3))
    watchdog.daemon = True
    watchdog.start()
    started = time.monotonic()
    main()
    print(f"in {time.monotonic() - started:.1f} s")
