"""Settings of `make lab`: whatever a kernel says is sent at once.

By default its small messages wait for one another, up to 40 ms (Nagle's algorithm), and a slider feels it.
"""

from jupyter_server.services.kernels.connection.channels import ZMQChannelsWebsocketConnection


class AtOnce(ZMQChannelsWebsocketConnection):
    """The usual connection between a kernel and the browser, without that delay."""

    def connect(self):
        self.websocket_handler.set_nodelay(True)
        return super().connect()


get_config().ServerApp.kernel_websocket_connection_class = AtOnce  # noqa: F821
