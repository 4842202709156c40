"""All settings of the platform. In development none needs to be given.

Values come from environment variables through labeling.environment. With PARLEY_ENV=production there are no defaults
for secrets and servers: if any of them is missing, one error names all that are, and nothing starts.
"""

import sys
from pathlib import Path
from typing import Any

import django_stubs_ext
from django.core.exceptions import ImproperlyConfigured

import charts
from labeling import embedded, environment
from labeling.environment import development_secret_key

django_stubs_ext.monkeypatch()  # allows ModelForm[Project], which Django 5.2 does not by itself

BASE_DIR = environment.CHECKOUT
PARLEY_ENV = environment.choice("PARLEY_ENV", default="development", choices=("development", "production"))
PRODUCTION = PARLEY_ENV == "production"
DEBUG = environment.flag("PARLEY_DEBUG", default=False)

if PRODUCTION:
    _required = {
        "PARLEY_SECRET_KEY": "at least 50 random characters",
        "PARLEY_ALLOWED_HOSTS": "the names under which the platform is reached, separated by commas",
        "DATABASE_URL": "postgresql://user:password@host:port/name",
        "REDIS_URL": "redis://host:port/0",
    }
    _missing = [f"{name} ({meaning})" for name, meaning in _required.items() if not environment.text(name)]
    if _missing:
        raise ImproperlyConfigured(f"PARLEY_ENV=production needs {'; '.join(_missing)}.")
    if len(environment.text("PARLEY_SECRET_KEY")) < 50:
        raise ImproperlyConfigured("PARLEY_SECRET_KEY is shorter than 50 characters; use 50 or more, at random.")

# Paths, keys and hosts.
PARLEY_VAR = environment.var_directory()
PARLEY_STORE = environment.path("PARLEY_STORE", default=PARLEY_VAR / "store")
SECRET_KEY = environment.text("PARLEY_SECRET_KEY") or development_secret_key(PARLEY_VAR)
SECRET_KEY_FALLBACKS = environment.names("PARLEY_OLD_SECRET_KEYS")
ALLOWED_HOSTS = environment.names("PARLEY_ALLOWED_HOSTS", default=("localhost", "127.0.0.1", "[::1]"))

# PARLEY_HTTPS=0 is for a production server that is reached over plain HTTP in a closed network.
HTTPS = environment.flag("PARLEY_HTTPS", default=PRODUCTION)

# The application.
INSTALLED_APPS = [
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django_htmx",
    "allauth",
    "allauth.account",
    "allauth.socialaccount",
    "allauth.socialaccount.providers.openid_connect",
    "allauth.mfa",
    "labeling",
]
MIDDLEWARE = [
    "labeling.web.observation.observe",
    "django.middleware.security.SecurityMiddleware",
    "labeling.web.security_headers.security_headers",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "labeling.web.unstorable_requests.refuse_unstorable",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.locale.LocaleMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.auth.middleware.LoginRequiredMiddleware",
    "allauth.account.middleware.AccountMiddleware",
    "labeling.accounts.presence.note_presence",
    "labeling.web.localisation.personal_localisation",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
]
ROOT_URLCONF = "labeling.urls"
ASGI_APPLICATION = "labeling.asgi.application"
TEMPLATES: list[dict[str, Any]] = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {
            "builtins": ["labeling.templatetags.times"],
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "labeling.web.navigation.navigation",
            ],
        },
    },
]

# The database and the broker. Timeouts keep a page from hanging; a command at the terminal may take longer.
_AT_TERMINAL = Path(sys.argv[0]).name == "manage.py"
STATEMENT_TIMEOUT_SECONDS = environment.integer(
    "PARLEY_STATEMENT_TIMEOUT_SECONDS", default=3600 if _AT_TERMINAL else 15
)
LOCK_TIMEOUT_SECONDS = environment.integer("PARLEY_LOCK_TIMEOUT_SECONDS", default=5)
IDLE_IN_TRANSACTION_TIMEOUT_SECONDS = environment.integer("PARLEY_IDLE_IN_TRANSACTION_TIMEOUT_SECONDS", default=30)
DATABASES: dict[str, dict[str, Any]] = {
    "default": environment.database(embedded.urls().database)
    | {"ATOMIC_REQUESTS": False, "CONN_MAX_AGE": 60, "CONN_HEALTH_CHECKS": True}
}
DATABASES["default"]["OPTIONS"] |= {
    "connect_timeout": environment.integer("PARLEY_CONNECT_TIMEOUT_SECONDS", default=3),
    "options": (
        f"-c statement_timeout={STATEMENT_TIMEOUT_SECONDS}s -c lock_timeout={LOCK_TIMEOUT_SECONDS}s"
        f" -c idle_in_transaction_session_timeout={IDLE_IN_TRANSACTION_TIMEOUT_SECONDS}s"
    ),
}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
REDIS_URL = embedded.urls().redis

# Sampling: how many overnight runs are sent to the workers at once; after how many seconds a message that no worker
# has begun counts as lost; after how many seconds of silence a worker's attempt counts as lost (a worker renews its
# lease every 15 seconds).
SAMPLING_WINDOW = environment.integer("PARLEY_SAMPLING_WINDOW", default=64, low=1)
PREVIEW_WINDOW = environment.integer("PARLEY_PREVIEW_WINDOW", default=8, low=1)  # the same of visitors' runs
SAMPLING_SENT_SECONDS = environment.integer("PARLEY_SAMPLING_SENT_SECONDS", default=30, low=1)
SAMPLING_RUN_SECONDS = environment.integer("PARLEY_SAMPLING_RUN_SECONDS", default=60, low=1)

# The API: the rate limit of one token.
API_REQUESTS_PER_MINUTE = environment.integer("PARLEY_API_REQUESTS_PER_MINUTE", default=600, low=1)

# Hosts in private networks that webhooks may post to, also over plain HTTP.
WEBHOOK_PRIVATE_HOSTS = environment.names("PARLEY_WEBHOOK_PRIVATE_HOSTS")

# People and sign-in.
AUTH_USER_MODEL = "labeling.User"
LOGIN_URL = "sign_in"
LOGIN_REDIRECT_URL = "home"
LOGOUT_REDIRECT_URL = "sign_in"
PASSWORD_HASHERS = [
    "django.contrib.auth.hashers.Argon2PasswordHasher",
    "django.contrib.auth.hashers.PBKDF2PasswordHasher",
]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 12}},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
    {"NAME": "django.contrib.auth.password_validation.NumericPasswordValidator"},
]
SESSION_ENGINE = "labeling.models.accounts.sessions"
SESSION_COOKIE_AGE = 14 * 24 * 3600
SESSION_COOKIE_SAMESITE = CSRF_COOKIE_SAMESITE = "Lax"
SESSION_COOKIE_HTTPONLY = True
IDLE_MINUTES = environment.integer("PARLEY_IDLE_MINUTES", default=3 * 24 * 60)  # 0: sessions do not end by idling
CONFIRM_MINUTES = environment.integer("PARLEY_CONFIRM_MINUTES", default=30)  # 0: nothing is to be confirmed
_ROLES = ("trainer", "reviewer", "engineer", "admin")
REQUIRE_SECOND_FACTOR = environment.names("PARLEY_REQUIRE_SECOND_FACTOR", choices=_ROLES)
# How long what is kept, in days (labeling.retention.rules); a kind that is not named is kept for ever. Withheld texts
# must outlast the half year in which somebody may appeal, and what the audit says of today the next audit of the books.
KEEP_DAYS = environment.days(
    "PARLEY_KEEP_DAYS",
    least={"drafts": 30, "chats": 30, "visits": 1, "suggestions": 30, "withheld": 190, "audit": 365},
)
SHARED_ADDRESSES = environment.names("PARLEY_SHARED_ADDRESSES")  # addresses and networks of many people

# Sign-in through a provider by OpenID Connect (labeling.accounts.single_sign_on). Without an issuer there is none.
OIDC_ISSUER = environment.text("PARLEY_OIDC_ISSUER").rstrip("/")
OIDC_CLIENT_ID = environment.text("PARLEY_OIDC_CLIENT_ID")
OIDC_CLIENT_SECRET = environment.text("PARLEY_OIDC_CLIENT_SECRET")
OIDC_NAME = environment.text("PARLEY_OIDC_NAME", default="single sign-on")
OIDC_NEW_PEOPLE = environment.choice("PARLEY_OIDC_NEW_PEOPLE", default="invited", choices=("invited", "anyone"))
OIDC_DOMAINS = [domain.lower() for domain in environment.names("PARLEY_OIDC_DOMAINS")]
OIDC_GROUPS = environment.listed("PARLEY_OIDC_GROUPS")
OIDC_ROLES = environment.pairs("PARLEY_OIDC_ROLES", choices=_ROLES)
OIDC_GROUPS_CLAIM = environment.text("PARLEY_OIDC_GROUPS_CLAIM", default="groups")
OIDC_SCOPE = environment.names("PARLEY_OIDC_SCOPE", default=("openid", "profile", "email"))
OIDC_TRUSTS_EMAIL = environment.flag("PARLEY_OIDC_TRUSTS_EMAIL", default=False)
OIDC_TRUSTS_SECOND_FACTOR = environment.flag("PARLEY_OIDC_TRUSTS_SECOND_FACTOR", default=False)

# django-allauth speaks the protocols; the pages, rules and limits are ours (labeling.accounts).
ACCOUNT_ADAPTER = "labeling.accounts.allauth_adapters.AccountAdapter"
SOCIALACCOUNT_ADAPTER = "labeling.accounts.allauth_adapters.SignOnAdapter"
MFA_ADAPTER = "labeling.accounts.allauth_adapters.SecondFactorAdapter"
MFA_SUPPORTED_TYPES = ["totp", "webauthn", "recovery_codes"]
MFA_TOTP_TOLERANCE = 1  # half minutes that the clock of an app may be off
ACCOUNT_EMAIL_VERIFICATION = "none"
ACCOUNT_LOGIN_METHODS = {"username"}
ACCOUNT_SIGNUP_FIELDS = ["username*", "password1*"]

# Mail, to visitors of previews and to people whose account is opened or mended. Without a server it is caught, and an
# admin reads it at /mail/ (labeling.preview.mail).
EMAIL_HOST = environment.text("PARLEY_MAIL_HOST")
EMAIL_PORT = environment.integer("PARLEY_MAIL_PORT", default=587, low=1, high=65535)
EMAIL_HOST_USER = environment.text("PARLEY_MAIL_USER")
EMAIL_HOST_PASSWORD = environment.text("PARLEY_MAIL_PASSWORD")
EMAIL_USE_TLS = environment.flag("PARLEY_MAIL_TLS", default=True)
EMAIL_TIMEOUT = 10
DEFAULT_FROM_EMAIL = environment.text("PARLEY_MAIL_FROM", default="parley@localhost")
CATCHES_MAIL = not EMAIL_HOST
EMAIL_BACKEND = (
    "labeling.preview.mail.CatchingBackend" if CATCHES_MAIL else "django.core.mail.backends.smtp.EmailBackend"
)

# HTTPS and proxies.
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = SECURE_SSL_REDIRECT = HTTPS
SESSION_COOKIE_NAME = "__Host-sessionid" if HTTPS else "sessionid"
CSRF_COOKIE_NAME = "__Host-csrftoken" if HTTPS else "csrftoken"
CSRF_TRUSTED_ORIGINS = environment.names("PARLEY_TRUSTED_ORIGINS")
SECURE_HSTS_SECONDS = 365 * 24 * 3600 if HTTPS else 0
# Both bind every other host of the domain, which is for the whole company to decide: so not unless it is asked for,
# and Django's advice to set them is not repeated at each deployment.
SECURE_HSTS_INCLUDE_SUBDOMAINS = environment.flag("PARLEY_HSTS_SUBDOMAINS", default=False)
SECURE_HSTS_PRELOAD = environment.flag("PARLEY_HSTS_PRELOAD", default=False)
SILENCED_SYSTEM_CHECKS = ["security.W005", "security.W021"]
SECURE_REDIRECT_EXEMPT = [r"^health/"]  # a container's health check speaks plain HTTP
SECURE_REFERRER_POLICY = "same-origin"
SECURE_CROSS_ORIGIN_OPENER_POLICY = "same-origin"
SECURE_CONTENT_TYPE_NOSNIFF = True
X_FRAME_OPTIONS = "DENY"
BEHIND_PROXY = environment.flag("PARLEY_BEHIND_PROXY", default=False)
FORWARDED_ALLOW_IPS = environment.text("FORWARDED_ALLOW_IPS")  # uvicorn reads the variable itself
if BEHIND_PROXY:
    SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")

# Files.
STATIC_URL = "/static/"
STATICFILES_DIRS = [("charts", charts.STYLESHEET.parent)]
STATIC_ROOT = environment.path("PARLEY_STATIC", default=PARLEY_VAR / "static")
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage", "OPTIONS": {"location": PARLEY_VAR}},
    "staticfiles": {
        "BACKEND": "labeling.web.static_files.HashedStaticFiles",
        # root may collect them and another user serve them; without these modes they would be as private as uploads.
        "OPTIONS": {"file_permissions_mode": 0o644, "directory_permissions_mode": 0o755},
    },
}
FILE_UPLOAD_PERMISSIONS = 0o640
FILE_UPLOAD_DIRECTORY_PERMISSIONS = 0o750
DATA_UPLOAD_MAX_NUMBER_FIELDS = 1000

# Limits on request bodies, in bytes: of a form or an API request, of a file to import, of all bodies on disk of one
# web process; and how slowly a body may arrive (labeling.request_bodies).
_MB = 2**20
DATA_UPLOAD_MAX_MEMORY_SIZE = environment.integer("PARLEY_FORM_MB", default=2, low=1, high=1024) * _MB
LARGEST_UPLOAD = environment.integer("PARLEY_UPLOAD_MB", default=50, low=1) * _MB
BODIES_ON_DISK = environment.integer("PARLEY_BODIES_ON_DISK_MB", default=1024, low=1) * _MB
BODY_IDLE_SECONDS = environment.integer("PARLEY_BODY_IDLE_SECONDS", default=30, low=1)
BODY_BYTES_PER_SECOND = environment.integer("PARLEY_BODY_BYTES_PER_SECOND", default=4096, low=1)

# Language and time.
LANGUAGE_CODE = "en"
LANGUAGES = [("en", "English")]
LOCALE_PATHS = [Path(BASE_DIR) / "labeling" / "locale"]
USE_I18N = True
USE_TZ = True
TIME_ZONE = "UTC"

# Watching over it: the token of a scrape (none: no address for it), and how log lines are written.
METRICS_TOKEN = environment.text("PARLEY_METRICS_TOKEN")
LOG_FORMAT = environment.choice("PARLEY_LOG_FORMAT", default="line", choices=("line", "json"))
LOGGING: dict[str, Any] = {
    "version": 1,
    "disable_existing_loggers": False,
    "filters": {"request_id": {"()": "labeling.web.log_lines.WithRequestId"}},
    "formatters": {
        "line": {"format": "%(asctime)s %(levelname)s %(name)s %(message)s"},
        "json": {"()": "labeling.web.log_lines.JsonLine"},
    },
    "handlers": {
        "console": {"class": "logging.StreamHandler", "formatter": LOG_FORMAT, "filters": ["request_id"]},
    },
    "root": {"handlers": ["console"], "level": environment.text("PARLEY_LOG_LEVEL", default="INFO")},
    "loggers": {"django": {"handlers": ["console"], "level": "INFO", "propagate": False}},
}
