# SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
"""Real servers, clients and receivers on loopback, and the tracer beside them."""
