"""The proxy: an entry file, a file for each upstream server, and what apply asks of all that."""

from .artifacts import key_headers as key_headers
from .artifacts import key_maps as key_maps
from .artifacts import proxy_artifacts as proxy_artifacts
from .needs import nginx_of as nginx_of
from .probes import through_proxy as through_proxy
