"""What tests of missions share."""

from toy_package import install  # noqa: F401 -- a fixture
