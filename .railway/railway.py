"""The fleet on Railway, made from configs/fleet.toml by `tracker fleet render`."""

from railway_sdk import define_railway, preserve, project, service


@define_railway
def main(ctx=None):
    """Describe every service; secrets keep the values they have on Railway."""
    return project(
        "crypto-tracker",
        resources=[
            service(
                "data_collector",
                build={
                    "builder": "RAILPACK",
                    "buildCommand": "pip install --require-hashes -r requirements.lock && pip install --no-deps --no-build-isolation -e .",
                    "watchPatterns": [
                        "/configs/**",
                        "/libs/**",
                        "/migrations/**",
                        "/pyproject.toml",
                        "/requirements.lock",
                        "/services/control/**",
                        "/services/data_collector/**",
                    ],
                },
                start="exec python -m services.data_collector",
                preDeploy="tracker migrate",
                healthcheck="/readyz",
                healthcheckTimeout=120,
                replicas=1,
                deploy={
                    "drainingSeconds": 30,
                    "overlapSeconds": 0,
                    "restartPolicyType": "ALWAYS",
                },
                env={
                    "DATABASE_POOL_SIZE": "3",
                    "DATABASE_URL": preserve(),
                    "POLYGON_API_KEY": preserve(),
                    "RAILPACK_PYTHON_VERSION": "3.11",
                    "TRACKER_SOURCE": "polygon",
                },
            ),
            service(
                "feature_calculator",
                build={
                    "builder": "RAILPACK",
                    "buildCommand": "pip install --require-hashes -r requirements.lock && pip install --no-deps --no-build-isolation -e .",
                    "watchPatterns": [
                        "/configs/**",
                        "/libs/**",
                        "/pyproject.toml",
                        "/requirements.lock",
                        "/services/feature_calculator/**",
                    ],
                },
                start="exec python -m services.feature_calculator",
                healthcheck="/readyz",
                healthcheckTimeout=120,
                replicas=1,
                deploy={
                    "drainingSeconds": 30,
                    "overlapSeconds": 0,
                    "restartPolicyType": "ALWAYS",
                },
                env={
                    "DATABASE_POOL_SIZE": "2",
                    "DATABASE_URL": preserve(),
                    "RAILPACK_PYTHON_VERSION": "3.11",
                    "TRACKER_SOURCE": "polygon",
                },
            ),
            service(
                "strategy_scanner_dca",
                build={
                    "builder": "RAILPACK",
                    "buildCommand": "pip install --require-hashes -r requirements.lock && pip install --no-deps --no-build-isolation -e .",
                    "watchPatterns": [
                        "/configs/**",
                        "/libs/**",
                        "/pyproject.toml",
                        "/requirements.lock",
                        "/services/strategy_scanner/**",
                    ],
                },
                start="exec python -m services.strategy_scanner --strategy dca",
                healthcheck="/readyz",
                healthcheckTimeout=120,
                replicas=1,
                deploy={
                    "drainingSeconds": 30,
                    "overlapSeconds": 0,
                    "restartPolicyType": "ALWAYS",
                },
                env={
                    "DATABASE_POOL_SIZE": "2",
                    "DATABASE_URL": preserve(),
                    "RAILPACK_PYTHON_VERSION": "3.11",
                    "TRACKER_SOURCE": "polygon",
                },
            ),
            service(
                "strategy_scanner_swing",
                build={
                    "builder": "RAILPACK",
                    "buildCommand": "pip install --require-hashes -r requirements.lock && pip install --no-deps --no-build-isolation -e .",
                    "watchPatterns": [
                        "/configs/**",
                        "/libs/**",
                        "/pyproject.toml",
                        "/requirements.lock",
                        "/services/strategy_scanner/**",
                    ],
                },
                start="exec python -m services.strategy_scanner --strategy swing",
                healthcheck="/readyz",
                healthcheckTimeout=120,
                replicas=1,
                deploy={
                    "drainingSeconds": 30,
                    "overlapSeconds": 0,
                    "restartPolicyType": "ALWAYS",
                },
                env={
                    "DATABASE_POOL_SIZE": "2",
                    "DATABASE_URL": preserve(),
                    "RAILPACK_PYTHON_VERSION": "3.11",
                    "TRACKER_SOURCE": "polygon",
                },
            ),
            service(
                "strategy_scanner_channel",
                build={
                    "builder": "RAILPACK",
                    "buildCommand": "pip install --require-hashes -r requirements.lock && pip install --no-deps --no-build-isolation -e .",
                    "watchPatterns": [
                        "/configs/**",
                        "/libs/**",
                        "/pyproject.toml",
                        "/requirements.lock",
                        "/services/strategy_scanner/**",
                    ],
                },
                start="exec python -m services.strategy_scanner --strategy channel",
                healthcheck="/readyz",
                healthcheckTimeout=120,
                replicas=1,
                deploy={
                    "drainingSeconds": 30,
                    "overlapSeconds": 0,
                    "restartPolicyType": "ALWAYS",
                },
                env={
                    "DATABASE_POOL_SIZE": "2",
                    "DATABASE_URL": preserve(),
                    "RAILPACK_PYTHON_VERSION": "3.11",
                    "TRACKER_SOURCE": "polygon",
                },
            ),
            service(
                "paper_trader",
                build={
                    "builder": "RAILPACK",
                    "buildCommand": "pip install --require-hashes -r requirements.lock && pip install --no-deps --no-build-isolation -e .",
                    "watchPatterns": [
                        "/configs/**",
                        "/libs/**",
                        "/pyproject.toml",
                        "/requirements.lock",
                        "/services/paper_trader/**",
                    ],
                },
                start="exec python -m services.paper_trader",
                healthcheck="/readyz",
                healthcheckTimeout=120,
                replicas=1,
                deploy={
                    "drainingSeconds": 30,
                    "overlapSeconds": 0,
                    "restartPolicyType": "ALWAYS",
                },
                env={
                    "DATABASE_POOL_SIZE": "2",
                    "DATABASE_URL": preserve(),
                    "RAILPACK_PYTHON_VERSION": "3.11",
                    "TRACKER_SOURCE": "polygon",
                },
            ),
            service(
                "health_monitor",
                build={
                    "builder": "RAILPACK",
                    "buildCommand": "pip install --require-hashes -r requirements.lock && pip install --no-deps --no-build-isolation -e .",
                    "watchPatterns": [
                        "/configs/**",
                        "/libs/**",
                        "/pyproject.toml",
                        "/requirements.lock",
                        "/services/health_monitor/**",
                    ],
                },
                start="exec python -m services.health_monitor",
                healthcheck="/readyz",
                healthcheckTimeout=120,
                replicas=1,
                deploy={
                    "drainingSeconds": 30,
                    "overlapSeconds": 0,
                    "restartPolicyType": "ALWAYS",
                },
                env={
                    "DATABASE_POOL_SIZE": "2",
                    "DATABASE_URL": preserve(),
                    "RAILPACK_PYTHON_VERSION": "3.11",
                    "TRACKER_SOURCE": "polygon",
                },
            ),
            service(
                "data_scheduler",
                build={
                    "builder": "RAILPACK",
                    "buildCommand": "pip install --require-hashes -r requirements.lock && pip install --no-deps --no-build-isolation -e .",
                    "watchPatterns": [
                        "/configs/**",
                        "/libs/**",
                        "/pyproject.toml",
                        "/requirements.lock",
                        "/services/data_scheduler/**",
                    ],
                },
                start="exec python -m services.data_scheduler",
                healthcheck="/readyz",
                healthcheckTimeout=120,
                replicas=1,
                deploy={
                    "drainingSeconds": 30,
                    "overlapSeconds": 0,
                    "restartPolicyType": "ALWAYS",
                },
                env={
                    "DATABASE_POOL_SIZE": "2",
                    "DATABASE_URL": preserve(),
                    "RAILPACK_PYTHON_VERSION": "3.11",
                    "TRACKER_SOURCE": "polygon",
                },
            ),
            service(
                "dashboard",
                build={
                    "builder": "RAILPACK",
                    "buildCommand": "pip install --require-hashes -r requirements.lock && pip install --no-deps --no-build-isolation -e .",
                    "watchPatterns": [
                        "/configs/**",
                        "/libs/**",
                        "/pyproject.toml",
                        "/requirements.lock",
                        "/services/dashboard/**",
                    ],
                },
                start="exec python -m services.dashboard",
                healthcheck="/readyz",
                healthcheckTimeout=120,
                replicas=1,
                deploy={
                    "drainingSeconds": 30,
                    "overlapSeconds": 0,
                    "restartPolicyType": "ALWAYS",
                },
                env={
                    "DATABASE_POOL_SIZE": "4",
                    "DATABASE_URL": preserve(),
                    "RAILPACK_PYTHON_VERSION": "3.11",
                    "TRACKER_SOURCE": "polygon",
                },
            ),
        ],
    )
