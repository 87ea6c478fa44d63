"""The config of the local supervisor; what differs between runs comes from the environment."""

from __future__ import annotations

from services.control.fleet import POSTGRES, Fleet, FleetService, Restart

# Waits between failed starts grow by a second each time; the count is out of reach, so that supervisor
# never gives a program up (its FATAL state, from which nothing would bring it back).
START_RETRIES = 1_000_000
# A program that lives shorter than this counts as a failed start and is waited for.
START_SECONDS = 3
STOP_SECONDS = 15
POSTGRES_STOP_SECONDS = 30
_AUTORESTART = {Restart.ALWAYS: "true", Restart.ON_FAILURE: "unexpected", Restart.NEVER: "false"}

_HEAD = """\
; Made from configs/fleet.toml by `tracker fleet render`. TRACKER_* come from the process that starts it.

[unix_http_server]
file=%(ENV_TRACKER_RUNTIME_DIR)s/supervisor.sock
chmod=0700

[supervisord]
directory=%(here)s/..
logfile=%(ENV_TRACKER_STATE_DIR)s/logs/supervisord.log
logfile_maxbytes=10MB
logfile_backups=1
pidfile=%(ENV_TRACKER_STATE_DIR)s/supervisord.pid
childlogdir=%(ENV_TRACKER_STATE_DIR)s/logs
identifier=tracker
nocleanup=true

[rpcinterface:supervisor]
supervisor.rpcinterface_factory=supervisor.rpcinterface:make_main_rpcinterface
"""


def supervisor_config(fleet: Fleet) -> str:
    """Return the config with one program a service and one for the embedded database."""
    programs = [_postgres()]
    programs += [_service(each, 10 * place) for place, each in enumerate(fleet.service, start=1)]
    return "\n".join([_HEAD, *programs])


def _postgres() -> str:
    command = (
        '-m tracker.store.embedded --data-dir "%(ENV_TRACKER_STATE_DIR)s/postgres"'
        ' --runtime-dir "%(ENV_TRACKER_RUNTIME_DIR)s"'
    )
    return _program(POSTGRES, command, "", Restart.ALWAYS, 1, POSTGRES_STOP_SECONDS)


def _service(service: FleetService, priority: int) -> str:
    variables = f',PORT="%(ENV_{service.port_variable})s"'
    if service.role is not None:
        variables += f',DATABASE_POOL_SIZE="{service.pool_size}"'
    variables += "".join(f',{name}="{value}"' for name, value in sorted(service.environment.items()))
    return _program(
        service.name, " ".join(service.command), variables, service.restart, priority, STOP_SECONDS
    )


def _program(
    name: str, command: str, variables: str, restart: Restart, priority: int, stop_seconds: int
) -> str:
    lines = (
        f"[program:{name}]",
        f'command="%(ENV_TRACKER_PYTHON)s" {command}',
        "directory=%(here)s/..",
        f'environment=TRACKER_SUPERVISED="1"{variables}',
        f"priority={priority}",
        "autostart=false",
        f"autorestart={_AUTORESTART[restart]}",
        f"startsecs={START_SECONDS}",
        f"startretries={START_RETRIES}",
        "stopsignal=TERM",
        f"stopwaitsecs={stop_seconds}",
        "killasgroup=true",
        "redirect_stderr=true",
        f"stdout_logfile=%(ENV_TRACKER_STATE_DIR)s/logs/{name}.log",
        "stdout_logfile_maxbytes=10MB",
        "stdout_logfile_backups=3",
    )
    return "\n".join(lines) + "\n"
