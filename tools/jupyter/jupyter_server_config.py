"""Settings of `make lab`: messages of a kernel are sent immediately.

By default small messages are held back for up to 40 ms (Nagle's algorithm), which makes sliders
feel slow.
"""

from jupyter_server.services.kernels.connection.channels import ZMQChannelsWebsocketConnection


class AtOnce(ZMQChannelsWebsocketConnection):
    """The default connection between kernel and browser, without that delay."""

    def connect(self):
        self.websocket_handler.set_nodelay(True)
        return super().connect()


get_config().ServerApp.kernel_websocket_connection_class = AtOnce  # noqa: F821
